"""A gRPC server in the manner of gRPC's interop tests. Messages are bytes: JSON, a newline, a payload."""

import json
import sys
import threading
import time
from concurrent import futures

import grpc

endless_calls = {"begun": 0, "cancelled": 0}
lock = threading.Lock()


def ask(message):
    head, _, payload = message.partition(b"\n")
    return json.loads(head or b"{}"), payload


def note_cancelled(context):
    """Counts a call that its client left; one that ended in order is none."""
    until = time.monotonic() + 5
    while context.is_active():
        if time.monotonic() > until:
            return
        time.sleep(0.001)
    with lock:
        endless_calls["cancelled"] += 1


def endless(messages, context):
    """Passes on the messages of a call, and finds out how it ends where its client means it to have no end."""
    open_end = False
    try:
        for message in messages:
            if not open_end and "endless" in ask(message)[0]:
                open_end = True
                with lock:
                    endless_calls["begun"] += 1
            yield message
    finally:
        if open_end:
            note_cancelled(context)


def echo(context):
    sent = dict(context.invocation_metadata())
    if "x-grpc-test-echo-initial" in sent:
        context.send_initial_metadata((("x-grpc-test-echo-initial", sent["x-grpc-test-echo-initial"]),))
    if "x-grpc-test-echo-trailing-bin" in sent:
        context.set_trailing_metadata((("x-grpc-test-echo-trailing-bin", sent["x-grpc-test-echo-trailing-bin"]),))


def fail(context, wish):
    if "code" in wish:
        code = next(code for code in grpc.StatusCode if code.value[0] == wish["code"])
        context.set_code(code)
        context.set_details(wish["message"])
        return True
    return False


def unary(message, context):
    echo(context)
    wish, payload = ask(message)
    if fail(context, wish):
        return b""
    if "told" in wish:
        facts = {
            "received": len(payload),
            "remaining": context.time_remaining(),
            **endless_calls,
            "metadata": {key: str(value) for key, value in context.invocation_metadata()},
        }
        return json.dumps(facts).encode()
    return bytes(wish.get("size", 0))


def streaming_input(messages, context):
    total = sum(len(ask(message)[1]) for message in endless(messages, context))
    return str(total).encode()


def streaming_output(message, context):
    for size in ask(message)[0]["sizes"]:
        yield bytes(size)


def full_duplex(messages, context):
    echo(context)
    for message in endless(messages, context):
        wish, payload = ask(message)
        if fail(context, wish):
            break
        while "sleep" in wish and context.is_active():
            time.sleep(0.001)
        for size in wish.get("sizes", []):
            yield bytes(size)
        if wish.get("mirror"):
            yield payload


SERVICE = grpc.method_handlers_generic_handler(
    "grpc.testing.TestService",
    {
        "EmptyCall": grpc.unary_unary_rpc_method_handler(lambda message, context: b""),
        "UnaryCall": grpc.unary_unary_rpc_method_handler(unary),
        "StreamingInputCall": grpc.stream_unary_rpc_method_handler(streaming_input),
        "StreamingOutputCall": grpc.unary_stream_rpc_method_handler(streaming_output),
        "FullDuplexCall": grpc.stream_stream_rpc_method_handler(full_duplex),
    },
)


def main():
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=40))
    server.add_generic_rpc_handlers((SERVICE,))
    if len(sys.argv) > 1:
        certificate, key = (open(path, "rb").read() for path in sys.argv[1:])
        port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([(key, certificate)]))
    else:
        port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)
    # Ends with whoever started it.
    sys.stdin.read()
    server.stop(None)


main()
