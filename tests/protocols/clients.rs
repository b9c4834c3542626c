//! curl and h2load: clients that we did not write.

use crate::setting::{KINDS, stage};
use nearside_tests::tool::run;

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
