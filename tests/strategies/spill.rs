//! Spillover: what Hamburg cannot carry goes to the cloud, and comes back.

use crate::{answers, names};
use nearside_tests::page::{Page, Scene};
use nearside_tests::{backend, eventually};
use std::collections::BTreeMap;
use std::time::Duration;

/// The regions that serve a crowd that asks far more than 20 times a second.
async fn crowd(scene: &Scene) -> BTreeMap<String, usize> {
    let all = futures_util::future::join_all((0..8).map(|_| answers(&scene.edge, 40, &[]))).await;
    let mut regions = BTreeMap::new();
    for (backend, count) in all.into_iter().flatten() {
        let region = backend.split('-').next().unwrap().to_owned();
        *regions.entry(region).or_default() += count;
    }
    regions
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crowd_spills_over_into_the_cloud_and_comes_back() {
    let scene = Page::of("spillover").scene().await;
    answers(&scene.edge, 12, &[]).await;
    assert_eq!(scene.requests("cloud").len(), 0, "Hamburg has room");

    let shares = crowd(&scene).await;
    assert!(shares["cloud"] > 40, "{shares:?}");
    assert!(shares["ham"] > 5, "Hamburg keeps what it can carry: {shares:?}");
    eventually("their records", async || {
        let of = |record: &serde_json::Value| record["reason"] == "won.spillover";
        (scene.edge.records().iter().filter(|record| of(record)).count() >= shares["cloud"]).then_some(())
    })
    .await;

    // What was offered counts for a second; then all of a few stay.
    eventually("the way back", async || {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let few = answers(&scene.edge, 10, &[]).await;
        few.keys().all(|backend| backend.starts_with("ham")).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cloud_serves_alone_when_the_data_centre_is_lost() {
    let scene = Page::of("spillover").scene().await;
    backend::kill(&scene.of("hamburg"));
    assert_eq!(names(&answers(&scene.edge, 30, &[]).await), ["cloud-a"]);
}
