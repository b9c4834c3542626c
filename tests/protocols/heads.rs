//! Heads: what backends and clients see, answers without bodies, early answers, trailers.

use crate::setting::{KINDS, stage, stage_with};
use nearside_tests::client::{self, url};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[tokio::test]
async fn every_client_protocol_reaches_every_backend_protocol() {
    let stage = stage().await;
    for h2 in [false, true] {
        let client = client::reqwest(&stage.edge, h2);
        for kind in KINDS {
            let answer = client
                .get(url(&stage.edge, &format!("/{kind}/who?a=b")))
                .header("accept", "application/json")
                .header("x-nearside-pop", "forged")
                .header("x-forwarded-for", "1.2.3.4")
                .header("x-real-ip", "1.2.3.4")
                .send()
                .await
                .unwrap();
            assert_eq!(answer.status(), 200, "{kind}");
            let reference = answer.headers()["x-nearside-ref"].to_str().unwrap().to_owned();
            assert!(answer.headers()["x-nearside-gen"].to_str().unwrap().starts_with("1-"));
            let seen: Value = answer.json().await.unwrap();
            assert_eq!(seen["name"], kind);
            assert_eq!(seen["path"], "/who?a=b", "{seen}");
            assert_eq!(seen["ref"], reference.as_str());
            assert!(seen["host"].as_str().unwrap().starts_with("www.example.com"), "{seen}");
            let text = seen.to_string();
            assert!(!text.contains("forged") && !text.contains("1.2.3.4"), "{text}");
            assert!(text.contains("\"test1\"") && text.contains("127.0.0.1"), "{text}");
        }
    }
}

#[tokio::test]
async fn backends_see_the_fields_of_the_specification() {
    let stage = stage().await;
    let answer = client::reqwest(&stage.edge, true).get(url(&stage.edge, "/h1/headers"));
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let sent = answer.header("traceparent", trace).header("te", "trailers").send().await.unwrap();
    let pairs: Vec<(String, String)> = sent.json().await.unwrap();
    let get = |name: &str| -> Vec<&str> {
        pairs
            .iter()
            .filter(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
            .collect()
    };
    assert_eq!(get("x-forwarded-for"), ["127.0.0.1"]);
    assert_eq!(get("x-forwarded-proto"), ["https"]);
    assert!(get("x-forwarded-host")[0].starts_with("www.example.com"));
    assert_eq!(get("cdn-loop"), ["nearside-test"]);
    assert_eq!(get("via"), ["2.0 nearside"]);
    assert_eq!(get("x-nearside-place"), ["ZZ"]);
    assert_eq!(get("x-nearside-probe"), Vec::<&str>::new());
    let parent = get("traceparent")[0];
    assert!(
        parent.starts_with("00-4bf92f3577b34da6a3ce929d0e0e4736-") && !parent.contains("00f067aa0ba902b7")
    );
}

#[tokio::test]
async fn answers_without_a_body_have_none_and_keep_the_connection() {
    let stage = stage().await;
    for h2 in [false, true] {
        let client = client::reqwest(&stage.edge, h2);
        for kind in KINDS {
            for (method, path, status) in
                [("HEAD", "bytes/5000", 200), ("GET", "204", 204), ("GET", "304", 304)]
            {
                let url = url(&stage.edge, &format!("/{kind}/{path}"));
                let answer = client.request(method.parse().unwrap(), url).send().await.unwrap();
                assert_eq!(answer.status(), status, "{kind} {path}");
                if method == "HEAD" {
                    assert_eq!(answer.headers()["content-length"], "5000", "{kind}");
                }
                assert_eq!(answer.bytes().await.unwrap().len(), 0);
            }
        }
    }
}

#[tokio::test]
async fn trailers_pass_from_every_backend_to_an_http_1_client() {
    let stage = stage().await;
    for kind in KINDS {
        let mut stream = raw(&stage.edge).await;
        let request = format!(
            "POST /{kind}/trailers HTTP/1.1\r\nhost: www.example.com\r\nte: trailers\r\nconnection: te, close\r\n\
             transfer-encoding: chunked\r\ntrailer: x-sum\r\n\r\n5\r\nhello\r\n0\r\nx-sum: 42\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200"), "{kind}: {text}");
        assert!(body.contains("x-sum"), "{kind}: the request's trailer did not arrive: {text}");
        let trailers =
            body.rsplit_once("\r\n0\r\n").unwrap_or_else(|| panic!("{kind}: no trailers: {text}")).1;
        assert!(trailers.to_ascii_lowercase().contains("sha256") || trailers.contains(':'), "{kind}: {text}");
    }
}

#[tokio::test]
async fn an_early_hint_reaches_the_client_before_the_answer() {
    let stage = stage().await;
    for kind in KINDS {
        let mut stream = raw(&stage.edge).await;
        let request =
            format!("GET /{kind}/early HTTP/1.1\r\nhost: www.example.com\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        let heads: Vec<&str> = text.lines().filter(|line| line.starts_with("HTTP/1.1")).collect();
        assert_eq!(heads.len(), 2, "{kind}: {text}");
        assert!(heads[0].contains("103") && heads[1].contains("200"), "{kind}: {text}");
    }
}

#[tokio::test]
async fn an_answer_before_the_body_was_sent_reaches_the_client() {
    let stage = stage().await;
    for kind in KINDS {
        let answer = client::reqwest(&stage.edge, true)
            .post(url(&stage.edge, &format!("/{kind}/early-413")))
            .body(vec![7; 4 << 20])
            .send()
            .await
            .unwrap_or_else(|error| panic!("{kind}: {error:?}"));
        assert_eq!(answer.status(), 413, "{kind}");
        // The edge goes on serving the next request.
        let next =
            client::reqwest(&stage.edge, true).get(url(&stage.edge, &format!("/{kind}/"))).send().await;
        assert_eq!(next.unwrap().status(), 200);
    }
}

#[tokio::test]
async fn errors_made_here_say_which_part_failed_and_nothing_internal() {
    let more = "  - { host: other.example.com, path: /only, methods: [GET], pool: h1 }\n\
                \x20 - { host: www.example.com, path: /fixed, answer: { status: 418, body: short } }\n\
                \x20 - { host: www.example.com, path: /moved, answer: { status: 308, location: \"https://new.example.com{path}{query}\" } }\n";
    let stage = stage_with(more).await;
    let client = client::reqwest(&stage.edge, false);
    let get = async |path: &str| client.get(url(&stage.edge, path)).send().await.unwrap();
    let missing = get("/nowhere").await;
    assert_eq!(missing.status(), 404);
    assert!(missing.headers()["proxy-status"].to_str().unwrap().contains("no_route.path"));
    let reference = missing.headers()["x-nearside-ref"].to_str().unwrap().to_owned();
    assert!(missing.text().await.unwrap().contains(&reference));
    let fixed = get("/fixed").await;
    assert_eq!(fixed.status(), 418);
    assert_eq!(fixed.text().await.unwrap(), "short");
    assert_eq!(get("/moved?q=1").await.headers()["location"], "https://new.example.com/moved?q=1");
    let traced = client.request("TRACE".parse().unwrap(), url(&stage.edge, "/h1/")).send().await.unwrap();
    assert_eq!(traced.status(), 405);
    let json =
        client.get(url(&stage.edge, "/nowhere")).header("accept", "application/json").send().await.unwrap();
    let page: Value = json.json().await.unwrap();
    assert_eq!(page["status"], 404);
}

#[tokio::test]
async fn the_plain_listener_sends_known_hosts_to_the_tls_listener() {
    let stage = stage().await;
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let ask = async |host: &str| {
        let url = format!("http://{}/a?b=c", stage.edge.http);
        client.get(url).header("host", host).send().await.unwrap()
    };
    let known = ask("www.example.com").await;
    assert_eq!(known.status(), 308);
    let expected = format!("https://www.example.com:{}/a?b=c", stage.edge.https.port());
    assert_eq!(known.headers()["location"], expected.as_str());
    assert_eq!(ask("evil.example.org").await.status(), 404);
}

#[tokio::test]
async fn a_loop_is_cut() {
    let stage = stage().await;
    let ask = async |passed: usize| {
        let list = vec!["nearside-test"; passed].join(", ");
        let request =
            client::reqwest(&stage.edge, false).get(url(&stage.edge, "/h1/")).header("cdn-loop", list);
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!(ask(4).await, 200);
    assert_eq!(ask(5).await, 508);
}

#[tokio::test]
async fn every_request_leaves_one_record() {
    let stage = stage().await;
    let client = client::reqwest(&stage.edge, true);
    let answer = client.post(url(&stage.edge, "/h2c/digest?secret=1")).body("12345").send().await.unwrap();
    let reference = answer.headers()["x-nearside-ref"].to_str().unwrap().to_owned();
    let length = answer.bytes().await.unwrap().len();
    let record = nearside_tests::eventually("the record", async || {
        stage.edge.records().into_iter().find(|record| record["ref"] == reference.as_str())
    })
    .await;
    for (key, value) in [
        ("route", "www.example.com/h2c/*"),
        ("region", "frankfurt"),
        ("backend", "h2c"),
        ("method", "POST"),
        ("path", "/h2c/digest"),
    ] {
        assert_eq!(record[key], value, "{record}");
    }
    assert_eq!(record["status"], 200);
    assert_eq!(record["tries"], 1);
    assert_eq!(record["bytes_in"], 5);
    assert_eq!(record["bytes_out"], length);
    assert_eq!(record["reason"], "won.only");
    assert!(!record.to_string().contains("secret"));
    assert_eq!(stage.backends.len(), KINDS.len());
}

async fn raw(edge: &nearside_tests::Edge) -> tokio_rustls::client::TlsStream<tokio::net::TcpStream> {
    client::connect(edge.authority.trusting(&[b"http/1.1"]), edge.https, "www.example.com").await.unwrap()
}
