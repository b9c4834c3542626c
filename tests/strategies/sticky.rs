//! Sticky regions: a session stays in its region at every PoP, and in its backup while that is lost.

use nearside_tests::client::{ask, cookie, region};
use nearside_tests::page::Page;
use nearside_tests::{Edge, backend, eventually};
use std::collections::BTreeMap;

/// The region that this session's requests go to, all of them, at both PoPs.
async fn place(pops: [&Edge; 2], session: &str) -> String {
    let mut found = Vec::new();
    for pop in pops {
        for _ in 0..3 {
            let answer = ask(pop, "/", &[("cookie", session)]).await;
            assert_eq!(cookie(&answer), None, "the cookie that it has is good");
            found.push(region(&answer));
        }
    }
    found.dedup();
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_stays_in_its_region_and_goes_to_its_backup_at_every_pop() {
    let page = Page::of("sticky-regions");
    let mut scene = page.scene().await;
    let other = page.setting().run(&page.before(&scene.backends)).await;
    let begun = eventually("a session in each region", async || {
        let mut begun = BTreeMap::new();
        for _ in 0..30 {
            let answer = ask(&scene.edge, "/", &[]).await;
            begun.insert(region(&answer), cookie(&answer).expect("a session begins"));
        }
        (begun.len() == 3).then_some(begun)
    })
    .await;
    for (first, session) in &begun {
        assert_eq!(place([&scene.edge, &other], session).await, *first);
    }

    backend::kill(&scene.of("frankfurt"));
    let (moved, stayed): (Vec<_>, Vec<_>) = begun.iter().partition(|(first, _)| *first == "frankfurt");
    for (first, session) in stayed {
        assert_eq!(place([&scene.edge, &other], session).await, *first, "it has nothing to do with that");
    }
    let (_, session) = moved[0];
    let backup = place([&scene.edge, &other], session).await;
    assert_ne!(backup, "frankfurt");
    for pop in [&scene.edge, &other] {
        eventually("a record of the backup", async || {
            pop.records().iter().any(|record| record["reason"] == "won.affinity_backup").then_some(())
        })
        .await;
    }

    scene.again("frankfurt").await;
    eventually("the way back", async || {
        let headers = [("cookie", session.as_str())];
        let (one, two) = (ask(&scene.edge, "/", &headers).await, ask(&other, "/", &headers).await);
        (region(&one) == "frankfurt" && region(&two) == "frankfurt").then_some(())
    })
    .await;
    assert_eq!(place([&scene.edge, &other], session).await, "frankfurt");
}
