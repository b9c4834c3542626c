//! Active-passive: the standby gets nothing until the primary is lost, then everything, and then nothing again.

use crate::{answers, names};
use nearside_tests::page::Page;
use nearside_tests::{backend, eventually};

#[tokio::test(flavor = "multi_thread")]
async fn the_standby_serves_while_the_primary_is_lost_and_only_then() {
    let mut scene = Page::of("active-passive").scene().await;
    let primary = answers(&scene.edge, 60, &[]).await;
    assert!(primary.keys().all(|name| name.starts_with("fra")), "{primary:?}");
    for standby in scene.of("dublin") {
        assert_eq!(standby.requests().len(), 0, "nothing but probes");
        assert!(standby.arrivals().iter().any(|arrival| arrival.probe), "it is known to be well");
    }
    backend::kill(&[scene.of("frankfurt")[0]]);
    answers(&scene.edge, 20, &[]).await;
    scene.edge.knows("web/fra-a", "unhealthy").await;
    let half = answers(&scene.edge, 30, &[]).await;
    assert_eq!(names(&half), ["fra-b"], "what is left of the primary goes before the standby");

    backend::kill(&[scene.of("frankfurt")[1]]);
    let standby = answers(&scene.edge, 60, &[]).await;
    assert!(standby.keys().all(|name| name.starts_with("dub")), "all are answered, and there: {standby:?}");

    scene.again("frankfurt").await;
    scene.edge.knows("web/fra-a", "healthy").await;
    scene.edge.knows("web/fra-b", "healthy").await;
    eventually("the way back", async || {
        let found = answers(&scene.edge, 8, &[]).await;
        found.keys().all(|name| name.starts_with("fra")).then_some(())
    })
    .await;
    let before = scene.requests("dublin").len();
    answers(&scene.edge, 40, &[]).await;
    assert_eq!(scene.requests("dublin").len(), before, "it stands by again");
}
