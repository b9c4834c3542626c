//! A session stays where it is, at every PoP.

use crate::{HEAD, REGIONS, backends, disbelieved, health, pool, regions, setting};
use nearside_tests::client::{ask, region};
use nearside_tests::{Edge, Process};
use reqwest::Response;

fn file(backends: &[Process; 3], affinity: &str) -> String {
    format!(
        "{HEAD}pools:\n{}    affinity: {affinity}\n{}    affinity: {{ cookie: {{ name: other }} }}\nroutes:\n  - {{ host: www.example.com, pool: web }}\n\
         \x20 - {{ host: www.example.com, path: /other/*, pool: other }}\n\
         \x20 - {{ host: www.example.com, path: /static/*, pool: web, headers: {{ to_client: {{ set: {{ cache-control: max-age=60 }} }} }} }}\n",
        pool("web", backends),
        pool("other", backends)
    )
}

/// What the answer sets, without its attributes, and those.
fn set(answer: &Response) -> Option<(String, String)> {
    let whole = answer.headers().get("set-cookie")?.to_str().unwrap();
    let (pair, attributes) = whole.split_once("; ").unwrap();
    Some((pair.to_owned(), attributes.to_owned()))
}

/// A session of its own: its cookie and the region that it began in.
async fn begin(edge: &Edge) -> (String, String) {
    let answer = ask(edge, "/", &[]).await;
    (set(&answer).expect("a cookie").0, region(&answer))
}

/// The region that all of some requests of this session go to, none of which gets another cookie.
async fn place(edge: &Edge, cookie: &str) -> String {
    let mut found = Vec::new();
    for _ in 0..8 {
        let answer = ask(edge, "/", &[("cookie", cookie)]).await;
        assert_eq!(set(&answer), None, "the cookie that it has is good");
        found.push(region(&answer));
    }
    found.dedup();
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_stays_and_fails_over_to_the_same_place_at_every_pop() {
    let (one, other) = (setting("ab"), setting("ab"));
    let backends = backends(&one).await;
    let text = file(&backends, "{}");
    let (one, other) = (one.run(&text).await, other.run(&text).await);
    assert_eq!(regions(&one, 40, &[]).await.len(), 3, "without a cookie all regions are equals");
    let answer = ask(&one, "/", &[]).await;
    let (_, attributes) = set(&answer).unwrap();
    assert_eq!(attributes, "Path=/; Secure; HttpOnly; SameSite=Lax");
    assert_eq!(answer.headers()["cache-control"], "private", "the sample says nothing of storing");
    let mut sessions = Vec::new();
    while REGIONS.iter().any(|region| sessions.iter().filter(|(_, first)| first == region).count() < 2) {
        sessions.push(begin(&one).await);
    }
    for (cookie, first) in &sessions {
        assert_eq!((&place(&one, cookie).await, &place(&other, cookie).await), (first, first));
    }
    health(&one, &backends[0], 503).await;
    other.knows("web/one", "unhealthy").await;
    for (cookie, first) in &sessions {
        let second = place(&one, cookie).await;
        assert_eq!(second, place(&other, cookie).await);
        assert_eq!(second == *first, first != REGIONS[0], "only those of the region that is down have moved");
    }
    health(&one, &backends[0], 200).await;
    for (cookie, first) in &sessions {
        assert_eq!(place(&one, cookie).await, *first, "what was merely down is gone back to");
    }
    let records = one.records();
    for reason in ["won.affinity", "won.affinity_backup"] {
        assert!(records.iter().any(|record| record["reason"] == reason), "{reason}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_client_makes_up_has_no_effect_and_is_counted() {
    let (one, stranger) = (setting("ab"), setting("cd"));
    let backends = backends(&one).await;
    let text = file(&backends, "{ cookie: { name: pin, ttl: 1s } }");
    let (one, stranger) = (one.run(&text).await, stranger.run(&text).await);
    let (good, _) = begin(&one).await;
    let (foreign, _) = begin(&stranger).await;
    let last = if good.ends_with('A') { "Q" } else { "A" };
    let mut touched = good.clone();
    touched.replace_range(good.len() - 20..=good.len() - 20, last);
    touched.replace_range(10..12, "__");
    for forged in ["pin=frankfurt", "pin=", touched.as_str(), foreign.as_str()] {
        let before = disbelieved(&one, "affinity", "forged");
        let answer = ask(&one, "/", &[("cookie", forged)]).await;
        assert!(set(&answer).is_some(), "a session of its own begins: {forged}");
        assert_eq!(disbelieved(&one, "affinity", "forged"), before + 1, "{forged}");
    }
    assert_eq!(regions(&one, 40, &[("cookie", foreign.as_str())]).await.len(), 3);
    let value = good.split_once('=').unwrap().1;
    ask(&one, "/other/", &[("cookie", format!("other={value}").as_str())]).await;
    assert_eq!(disbelieved(&one, "affinity", "foreign"), 1);
    nearside_tests::eventually("the end of the cookie's time", async || {
        ask(&one, "/", &[("cookie", good.as_str())]).await;
        (disbelieved(&one, "affinity", "expired") > 0).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_cache_may_store_bears_no_cookie_and_backends_do_not_see_it() {
    let one = setting("ab");
    let backends = backends(&one).await;
    let one = one.run(&file(&backends, "{ cookie: { ttl: 1h } }")).await;
    for path in ["/static/a", "/304", "/status/500"] {
        assert_eq!(set(&ask(&one, path, &[]).await), None, "{path}");
    }
    let (cookie, attributes) = set(&ask(&one, "/status/302", &[]).await).unwrap();
    assert_eq!(attributes, "Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=3600");
    for (sent, seen) in [(format!("a=1; {cookie}; b=2"), Some("a=1; b=2")), (cookie, None)] {
        let answer = ask(&one, "/headers", &[("cookie", sent.as_str())]).await;
        let pairs: Vec<(String, String)> = answer.json().await.unwrap();
        let cookies: Vec<&str> =
            pairs.iter().filter(|(name, _)| name == "cookie").map(|(_, value)| value.as_str()).collect();
        assert_eq!(cookies.first().copied(), seen, "{sent}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_keeps_sessions_and_a_mark_moves_them_when_it_says_so() {
    let one = setting("ab");
    let backends = backends(&one).await;
    let one = one.run(&file(&backends, "{ level: region }")).await;
    let (mut cookie, mut first) = begin(&one).await;
    while first != "frankfurt" {
        (cookie, first) = begin(&one).await;
    }
    // Another region comes before all others, so every id changes.
    one.reload(|text| text.replace("regions: { frankfurt", "regions: { amsterdam: {}, frankfurt")).await;
    assert_eq!(place(&one, &cookie).await, "frankfurt");
    let mark = |grace: &str| {
        format!(
            "frankfurt: {{ drain: {{ reason: test, pinned_sessions: honour_until_grace, grace: {grace} }} }}"
        )
    };
    one.reload(|text| text.replace("frankfurt: {}", &mark("1h"))).await;
    assert_eq!(place(&one, &cookie).await, "frankfurt", "grace runs");
    assert!(!regions(&one, 20, &[]).await.contains(&"frankfurt".to_owned()), "for pinned sessions only");
    one.reload(|text| text.replace(&mark("1h"), &mark("0s"))).await;
    let answer = ask(&one, "/", &[("cookie", cookie.as_str())]).await;
    let second = region(&answer);
    let (moved, _) = set(&answer).expect("it has moved for good");
    assert_ne!(second, "frankfurt");
    assert_eq!(place(&one, &moved).await, second);
    one.reload(|text| text.replace(&mark("0s"), "frankfurt: {}")).await;
    let headers = [("cookie", moved.as_str())];
    assert_eq!(
        regions(&one, 8, &headers).await,
        [second],
        "it does not go back, though its backup may be another"
    );
}
