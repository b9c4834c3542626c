"""The cases of gRPC's interop tests, run against PORT with the authority CA, for the service behind HOST."""

import json
import sys
import time
import traceback

import grpc

PORT, CA, HOST = sys.argv[1:4]
SERVICE = "/grpc.testing.TestService/"
DEADLINE = 30


def message(wish, payload=0):
    return json.dumps(wish).encode() + b"\n" + bytes(payload)


def called(code, call):
    """The error that `call` ends in, which has to be of this code."""
    try:
        call()
    except grpc.RpcError as error:
        assert error.code() == code, f"{error.code()}: {error.details()}"
        return error
    raise AssertionError(f"no {code}")


class Cases:
    def __init__(self, channel):
        self.channel = channel
        self.unary = channel.unary_unary(SERVICE + "UnaryCall")
        self.input = channel.stream_unary(SERVICE + "StreamingInputCall")
        self.output = channel.unary_stream(SERVICE + "StreamingOutputCall")
        self.duplex = channel.stream_stream(SERVICE + "FullDuplexCall")

    def told(self, **more):
        return json.loads(self.unary(message({"told": True}), timeout=DEADLINE, **more))

    def one_more(self, what, before):
        """Waits until the server has seen one more call begin, or end early."""
        until = time.monotonic() + DEADLINE
        while self.told()[what] <= before[what]:
            assert time.monotonic() < until, "the server never learned of it"
            time.sleep(0.01)

    def empty_unary(self):
        assert self.channel.unary_unary(SERVICE + "EmptyCall")(b"", timeout=DEADLINE) == b""

    def large_unary(self):
        assert self.unary(message({"size": 314159}, 271828), timeout=DEADLINE) == bytes(314159)
        assert json.loads(self.unary(message({"told": True}, 271828), timeout=DEADLINE))["received"] == 271828

    def client_streaming(self):
        sizes = [27182, 8, 1828, 45904]
        assert self.input((message({}, size) for size in sizes), timeout=DEADLINE) == b"74922"

    def server_streaming(self):
        sizes = [31415, 9, 2653, 58979]
        answers = self.output(message({"sizes": sizes}), timeout=DEADLINE)
        assert [len(answer) for answer in answers] == sizes

    def ping_pong(self):
        asked = [(31415, 27182), (9, 8), (2653, 1828), (58979, 45904)]
        answers, wishes = None, []

        def requests():
            for number, (size, payload) in enumerate(asked):
                # Each request waits for the answer to the one before: nothing may be held back on the way.
                while len(wishes) < number:
                    time.sleep(0.001)
                yield message({"sizes": [size]}, payload)

        answers = self.duplex(requests(), timeout=DEADLINE)
        for size, _ in asked:
            assert len(next(answers)) == size
            wishes.append(size)
        assert list(answers) == []

    def empty_stream(self):
        assert list(self.duplex(iter(()), timeout=DEADLINE)) == []

    def large_duplex(self):
        count, size = 200, 65536
        answers = self.duplex((message({"mirror": True}, size) for _ in range(count)), timeout=DEADLINE)
        assert [len(answer) for answer in answers] == [size] * count

    def many_at_once(self):
        calls = [self.unary.future(message({"size": number}), timeout=DEADLINE) for number in range(200)]
        assert [len(call.result()) for call in calls] == list(range(200))

    def deadline_is_passed_on(self):
        remaining = self.told()["remaining"]
        # What goes over the wire is rounded up.
        assert remaining is not None and 0 < remaining < DEADLINE + 1, remaining

    def timeout_on_sleeping_server(self):
        before = self.told()
        wishes = iter([message({"sleep": True, "endless": True}, 27182)])
        called(grpc.StatusCode.DEADLINE_EXCEEDED, lambda: list(self.duplex(wishes, timeout=2)))
        self.one_more("cancelled", before)

    def cancel_after_begin(self):
        before = self.told()
        open_end = iter(lambda: time.sleep(0.01) or message({"endless": True}, 1), None)
        call = self.input.future(open_end, timeout=DEADLINE)
        self.one_more("begun", before)
        call.cancel()
        assert call.code() == grpc.StatusCode.CANCELLED
        self.one_more("cancelled", before)

    def cancel_after_first_response(self):
        before = self.told()
        open_end = iter(lambda: time.sleep(0.01) or message({"sizes": [31415], "endless": True}, 27182), None)
        call = self.duplex(open_end, timeout=DEADLINE)
        assert len(next(call)) == 31415
        call.cancel()
        called(grpc.StatusCode.CANCELLED, lambda: list(call))
        self.one_more("cancelled", before)

    def status_code_and_message(self):
        self.status("test status message")

    def special_status_message(self):
        self.status("\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP \U0001f608\t\n")

    def status(self, text):
        wish = message({"code": 2, "message": text})
        for call in [lambda: self.unary(wish, timeout=DEADLINE), lambda: list(self.duplex(iter([wish]), timeout=DEADLINE))]:
            error = called(grpc.StatusCode.UNKNOWN, call)
            assert error.details() == text, repr(error.details())

    def custom_metadata(self):
        initial, trailing = ("x-grpc-test-echo-initial", "test_initial_metadata_value"), ("x-grpc-test-echo-trailing-bin", b"\xab\xab\xab")
        sent = (initial, trailing)
        _, call = self.unary.with_call(message({"size": 3}), timeout=DEADLINE, metadata=sent)
        stream = self.duplex(iter([message({"sizes": [3]})]), timeout=DEADLINE, metadata=sent)
        assert [len(answer) for answer in stream] == [3]
        for call in [call, stream]:
            assert initial in call.initial_metadata(), call.initial_metadata()
            assert trailing in call.trailing_metadata(), call.trailing_metadata()

    def unimplemented_method(self):
        call = self.channel.unary_unary(SERVICE + "UnimplementedCall")
        called(grpc.StatusCode.UNIMPLEMENTED, lambda: call(b"", timeout=DEADLINE))

    def unimplemented_service(self):
        call = self.channel.unary_unary("/grpc.testing.UnimplementedService/UnimplementedCall")
        called(grpc.StatusCode.UNIMPLEMENTED, lambda: call(b"", timeout=DEADLINE))


def main():
    credentials = grpc.ssl_channel_credentials(open(CA, "rb").read())
    options = [("grpc.ssl_target_name_override", HOST)]
    names = [name for name, value in vars(Cases).items() if callable(value)]
    helpers = {"__init__", "told", "one_more", "status"}
    failed = 0
    with grpc.secure_channel(f"127.0.0.1:{PORT}", credentials, options) as channel:
        cases = Cases(channel)
        for name in names:
            if name in helpers:
                continue
            try:
                getattr(cases, name)()
                print(name, "ok", flush=True)
            except Exception:
                failed += 1
                print(name, "FAILED", flush=True)
                traceback.print_exc()
    sys.exit(1 if failed else 0)


main()
