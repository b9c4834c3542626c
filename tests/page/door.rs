//! The door: what is told, and changed, to whom; over TCP, TLS and the Unix socket.

use crate::setting::{Scene, TOKEN};
use nearside_tests::eventually;
use reqwest::{Client, Method, RequestBuilder, Response};
use serde_json::{Value, json};
use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

/// A wish as the page sends it.
fn wish(client: &Client, url: &str, wish: &Value) -> RequestBuilder {
    client
        .post(url)
        .header("content-type", "application/json")
        .header("x-nearside-change", "1")
        .body(wish.to_string())
}

async fn json(answer: Response) -> (u16, Value) {
    let status = answer.status().as_u16();
    let text = answer.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or_else(|_| text.into()))
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_token_the_page_opens_to_who_shows_it_and_to_nobody_else() {
    let scene = Scene::usual().await;
    let client = Client::new();
    let url = |path: &str| format!("http://{}{path}", scene.admin);
    let get = async |path: &str, token: Option<&str>| {
        let request = client.get(url(path));
        let request = token.into_iter().fold(request, |request, token| request.bearer_auth(token));
        request.send().await.unwrap()
    };
    for path in
        ["/", "/status", "/events", "/metrics", "/journal", "/history", "/changes", "/explain", "/nothing"]
    {
        for token in [None, Some("wrong"), Some(TOKEN.trim_end_matches("64"))] {
            let answer = get(path, token).await;
            assert_eq!(answer.status(), 401, "{path}");
            assert!(!answer.text().await.unwrap().contains("frankfurt"), "{path}");
        }
    }
    for path in ["/healthz", "/readyz", "/page.css"] {
        assert_eq!(get(path, None).await.status(), 200, "{path}");
    }
    let page = get("/", Some(TOKEN)).await;
    let headers = page.headers().clone();
    let policy = headers["content-security-policy"].to_str().unwrap();
    for word in ["default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "trusted-types 'none'"]
    {
        assert!(policy.contains(word), "{policy}");
    }
    assert_eq!(headers["x-content-type-options"], "nosniff");
    assert!(page.text().await.unwrap().contains("page.js"));
    let metrics = get("/metrics", Some(TOKEN)).await;
    assert!(
        metrics.text().await.unwrap().contains("nearside_backend_verdict"),
        "Prometheus scrapes with the token"
    );
    // Another secret in the file opens at once, and the old one no longer.
    let fresh = "ab".repeat(32);
    fs::write(scene.edge.folder().join("admin.token"), &fresh).unwrap();
    let opens = async || (get("/status", Some(&fresh)).await.status() == 200).then_some(());
    eventually("the fresh token", opens).await;
    assert_eq!(get("/status", Some(TOKEN)).await.status(), 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_token_loopback_looks_and_the_unix_socket_changes() {
    let scene = Scene::new("{ admin: \"ADMIN\" }").await;
    let client = Client::new();
    let url = |path: &str| format!("http://{}{path}", scene.admin);
    let before = fs::read_to_string(scene.edge.file()).unwrap();
    assert_eq!(client.get(url("/status")).send().await.unwrap().status(), 200);
    let lured = client.get(url("/status")).header("host", "evil.example").send().await.unwrap();
    assert_eq!(lured.status(), 403);
    let asked = json!({ "target": "frankfurt", "reason": "CHG-1" });
    let (status, shown) = json(wish(&client, &url("/drain"), &asked).send().await.unwrap()).await;
    assert_eq!((status, shown["patch"].is_null()), (200, true), "{shown}");
    assert!(shown["why_not"].as_str().unwrap().contains("observe.admin_token"), "{shown}");
    assert!(
        shown["command"].as_str().unwrap().starts_with("nearside drain frankfurt --reason CHG-1"),
        "{shown}"
    );
    let mut confirmed = asked.clone();
    confirmed["confirm"] = shown["confirm"].clone();
    let (status, told) = json(wish(&client, &url("/drain"), &confirmed).send().await.unwrap()).await;
    assert_eq!((status, &told["done"]), (403, &json!(false)), "{told}");
    assert_eq!(client.get(url("/changes?from=a&to=b")).send().await.unwrap().status(), 403);
    assert_eq!(client.post(url("/upgrade")).send().await.unwrap().status(), 405);
    assert_eq!(fs::read_to_string(scene.edge.file()).unwrap(), before, "nothing was changed");
    // The socket belongs to nearside's user and group, who could write the file themselves.
    let mut stream = UnixStream::connect(scene.edge.folder().join("state/admin.sock")).unwrap();
    let body = confirmed.to_string();
    let head = "POST /drain HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: application/json\r\n\
                x-nearside-change: 1\r\n";
    stream.write_all(format!("{head}content-length: {}\r\n\r\n{body}", body.len()).as_bytes()).unwrap();
    let mut answer = String::new();
    tokio::task::block_in_place(|| stream.read_to_string(&mut answer)).unwrap();
    assert!(answer.contains("\"done\": true"), "{answer}");
    let marked = async || {
        scene.edge.status()["drains"].as_array()?.iter().find(|it| it["target"] == "frankfurt").cloned()
    };
    assert_eq!(eventually("the mark", marked).await["reason"], "CHG-1");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_site_has_a_browser_send_changes_nothing() {
    let scene = Scene::usual().await;
    // A browser that is logged in, and does not follow.
    let client = Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let url = |path: &str| format!("http://{}{path}", scene.admin);
    let form = format!("token={TOKEN}");
    let login = |origin: String| client.post(url("/login")).header("origin", origin).body(form.clone());
    assert_eq!(login("http://evil.example".to_owned()).send().await.unwrap().status(), 403);
    let own = format!("http://{}", scene.admin);
    let answer = login(own.clone()).send().await.unwrap();
    assert_eq!((answer.status().as_u16(), &answer.headers()["location"]), (303, &"/".parse().unwrap()));
    let cookie = answer.headers()["set-cookie"].to_str().unwrap().to_owned();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
    let session = cookie.split(';').next().unwrap().to_owned();
    let before = fs::read_to_string(scene.edge.file()).unwrap();
    let asked = json!({ "target": "frankfurt", "reason": "x" });
    let (_, shown) =
        json(wish(&client, &url("/drain"), &asked).header("cookie", &session).send().await.unwrap()).await;
    let mut confirmed = asked.clone();
    confirmed["confirm"] = shown["confirm"].clone();
    let send = |headers: &[(&str, &str)]| {
        let request = client.request(Method::POST, url("/drain")).header("cookie", &session);
        headers.iter().fold(request, |it, (name, value)| it.header(*name, *value)).body(confirmed.to_string())
    };
    let (json_type, intent) = (("content-type", "application/json"), ("x-nearside-change", "1"));
    let forged: &[(&[(&str, &str)], u16)] = &[
        (&[json_type, intent, ("origin", "http://evil.example")], 403),
        (&[json_type, intent, ("origin", "null")], 403),
        (&[json_type, intent, ("origin", &own), ("sec-fetch-site", "cross-site")], 403),
        (&[json_type, intent, ("sec-fetch-site", "same-site")], 403),
        (&[json_type, intent, ("origin", &own), ("host", "evil.example")], 403),
        (&[json_type, ("origin", &own)], 415),
        (&[("content-type", "text/plain"), intent, ("origin", &own)], 415),
        (&[("content-type", "application/x-www-form-urlencoded"), ("origin", &own)], 415),
    ];
    for (headers, expected) in forged {
        assert_eq!(send(headers).send().await.unwrap().status(), *expected, "{headers:?}");
    }
    let stranger = wish(&client, &url("/drain"), &confirmed).header("origin", &own).send().await.unwrap();
    assert_eq!(stranger.status(), 401);
    let huge =
        wish(&client, &url("/drain"), &json!({ "target": "x".repeat(20_000) })).header("cookie", &session);
    assert_eq!(huge.send().await.unwrap().status(), 413);
    assert_eq!(fs::read_to_string(scene.edge.file()).unwrap(), before, "nothing was changed");
    let meant = send(&[json_type, intent, ("origin", &own), ("sec-fetch-site", "same-origin")]);
    assert_eq!(json(meant.send().await.unwrap()).await.1["done"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_other_machines_can_reach_speaks_tls_and_wants_the_token() {
    let port = nearside_tests::port();
    let observe = format!("{{ admin: \"0.0.0.0:{port}\", admin_token: admin.token }}");
    let scene = Scene::new(&observe).await;
    let client = scene.edge.door().client(false).build().unwrap();
    let url = |path: &str| format!("https://localhost:{port}{path}");
    assert_eq!(client.get(url("/status")).send().await.unwrap().status(), 401);
    let status = client.get(url("/status")).bearer_auth(TOKEN).send().await.unwrap();
    assert_eq!(json(status).await.1["pop"]["name"], "test1");
    let form = client.post(url("/login")).body(format!("token={TOKEN}"));
    let seated = form.header("origin", format!("https://localhost:{port}")).send().await.unwrap();
    let cookie = seated.headers()["set-cookie"].to_str().unwrap();
    assert!(cookie.ends_with("; HttpOnly; SameSite=Strict; Secure"), "{cookie}");
    let page = client.get(url("/")).header("cookie", cookie.split(';').next().unwrap()).send().await.unwrap();
    assert_eq!(page.status(), 200);
    let plain = Client::new().get(format!("http://127.0.0.1:{port}/status")).bearer_auth(TOKEN).send().await;
    assert!(plain.is_err_and(|error| !error.is_status()), "nothing is said in the clear");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_is_open_follows_an_upgrade() {
    let scene = Scene::new("{ admin: \"ADMIN\" }").await;
    // Each time by a connection of its own: one that was kept may be closed in the moment in which it is used.
    let client = Client::builder().pool_max_idle_per_host(0).build().unwrap();
    let events = || client.get(format!("http://{}/events", scene.admin)).send();
    // What comes until a status is whole, and whose it is.
    let pid = async |events: &mut Response| {
        let mut heard = String::new();
        while let Some(chunk) = events.chunk().await.unwrap() {
            heard += std::str::from_utf8(&chunk).unwrap();
            let status = heard.lines().filter_map(|line| line.strip_prefix("data: "));
            let status = status.filter_map(|data| serde_json::from_str::<Value>(data).ok()).next();
            if let Some(status) = status {
                return status["pid"].as_u64();
            }
        }
        None
    };
    let mut open = events().await.unwrap();
    assert_eq!(open.headers()["content-type"], "text/event-stream");
    let before = pid(&mut open).await.expect("a status comes at once");
    let upgraded = scene.edge.call(&["upgrade"]);
    assert!(upgraded.status.success(), "{}", String::from_utf8_lossy(&upgraded.stderr));
    // It ends as a whole answer does, so that the browser asks again and finds the successor.
    while open.chunk().await.expect("an orderly end").is_some() {}
    let after = pid(&mut events().await.unwrap()).await.expect("the successor tells");
    assert_ne!(before, after);
    assert_eq!(Some(after), scene.edge.serving().map(u64::from));
}
