//! curl, h2load and nghttp: clients that we did not write.

use crate::setting::{KINDS, Stage, stage, stage_with};
use nearside_tests::tool::{output, run};
use std::fmt::Write;
use std::process::Command;

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn curl_uploads_with_expect_and_in_chunks_and_reads_every_answer() {
    let stage = stage().await;
    let authority = stage.edge.authority.file();
    let resolve = format!("www.example.com:{}:127.0.0.1", stage.edge.https.port());
    let body = stage.edge.folder().join("body");
    std::fs::write(&body, vec![b'x'; 2_000_000]).unwrap();
    let upload = format!("@{}", body.display());
    for version in ["--http1.1", "--http2"] {
        for kind in KINDS {
            let url = format!("https://www.example.com:{}/{kind}/digest", stage.edge.https.port());
            let common =
                ["-sS", "-v", "--cacert", authority.to_str().unwrap(), "--resolve", &resolve, version];
            let expect =
                [&common[..], &["-H", "expect: 100-continue", "--data-binary", &upload, &url]].concat();
            let chunked =
                [&common[..], &["-H", "transfer-encoding: chunked", "--data-binary", &upload, &url]].concat();
            for arguments in [&expect, &chunked] {
                if version == "--http2" && arguments == &chunked {
                    continue;
                }
                let Some(output) = run("curl", arguments) else { return };
                let (out, said) = (text(&output.stdout), text(&output.stderr));
                assert!(output.status.success() && out.contains("2000000"), "{arguments:?}: {out}\n{said}");
                if arguments == &expect {
                    assert!(said.contains("100"), "no 100 Continue: {said}");
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn h2load_gets_every_answer_over_both_protocols() {
    let stage = stage().await;
    let connect = format!("--connect-to=127.0.0.1:{}", stage.edge.https.port());
    for kind in KINDS {
        let url = format!("https://www.example.com:{}/{kind}/bytes/3000", stage.edge.https.port());
        for protocol in [&["--h1"][..], &["-m20"]] {
            let arguments = [&["-n400", "-c8", &connect], protocol, &[&url]].concat();
            let Some(output) = run("h2load", &arguments) else { return };
            let said = text(&output.stdout);
            assert!(said.contains("400 succeeded, 0 failed"), "{kind} {protocol:?}: {said}");
            assert!(said.contains("status codes: 400 2xx"), "{kind} {protocol:?}: {said}");
        }
    }
}

/// An edge that serves `localhost` too: nghttp names in its hello the host that it connects to, and no other.
async fn local_stage() -> Stage {
    let mut routes = String::new();
    for kind in KINDS {
        let route = format!("{{ host: localhost, path: /{kind}/*, strip_prefix: /{kind}, pool: {kind} }}");
        writeln!(routes, "  - {route}").unwrap();
    }
    stage_with(&routes).await
}

/// What nghttp wrote; a certificate that it does not believe fails the test.
fn nghttp(stage: &Stage, arguments: &[&str]) -> Option<Vec<u8>> {
    let mut command = Command::new("nghttp");
    let output = output(command.args(arguments).env("SSL_CERT_FILE", stage.edge.authority.file()))?;
    let said = text(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{arguments:?}: {said}");
    Some(output.stdout)
}

/// The sample's pattern of this length.
fn pattern(length: u64) -> Vec<u8> {
    let mut whole = Vec::new();
    while (whole.len() as u64) < length {
        whole.extend(nearside_sample::pattern(whole.len() as u64, length - whole.len() as u64));
    }
    whole
}

#[tokio::test(flavor = "multi_thread")]
async fn nghttp_gets_whole_answers_of_several_requests_over_one_connection() {
    let stage = local_stage().await;
    let port = stage.edge.https.port();
    for kind in KINDS {
        let url = |path: &str| format!("https://localhost:{port}/{kind}/{path}");
        let Some(body) = nghttp(&stage, &[&url("bytes/70000")]) else { return };
        assert!(body == pattern(70_000), "{kind}: {} bytes", body.len());

        let Some(said) = nghttp(&stage, &["-nv", "-m3", &url("bytes/3000"), &url("status/418")]) else {
            return;
        };
        let said = text(&said);
        assert!(said.contains("The negotiated protocol: h2"), "{said}");
        // An upload may have a megabyte under way, and four of a connection.
        let windows = ["INITIAL_WINDOW_SIZE(0x04):1048576", "window_size_increment=4128769"];
        assert!(windows.iter().all(|window| said.contains(window)), "{said}");
        let count = |what: &str| said.matches(what).count();
        assert_eq!(
            (count("Connected"), count(":status: 200"), count(":status: 418")),
            (1, 3, 3),
            "{kind}: {said}"
        );
        assert_eq!(count("END_STREAM"), 12, "six requests and six answers end: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nghttp_uploads_with_trailers_and_reads_those_of_the_answer() {
    let stage = local_stage().await;
    let body = stage.edge.folder().join("body");
    std::fs::write(&body, pattern(300_000)).unwrap();
    let body = body.display().to_string();
    for kind in KINDS {
        let url = format!("https://localhost:{}/{kind}/trailers", stage.edge.https.port());
        // A body of announced length has no place for trailers on the way to an h1 backend.
        let trailers = ["--no-content-length", "-H", "te: trailers", "--trailer", "x-sum: 42"];
        let arguments = [&["-v", "-d", &body], &trailers[..], &[&url]].concat();
        let Some(said) = nghttp(&stage, &arguments) else { return };
        let said = text(&said);
        assert!(said.contains("\"length\": 300000") && said.contains("\"x-sum\""), "{kind}: {said}");
        assert!(
            said.contains(&format!("x-sample-sha256: {}", nearside_sample::pattern_digest(300_000))),
            "{kind}: {said}"
        );
    }
}
