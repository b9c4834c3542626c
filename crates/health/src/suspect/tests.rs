//! The rules of suspicion and of latency, over whole pools.

use crate::fixture::{id, registry, view};
use crate::{By, Change, Standing, View};
use nearside_core::{Evidence, Verdict};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast::Receiver;
use tokio::time::{Instant, advance};

const MILLI: Duration = Duration::from_millis(1);

/// A pool under way: every backend has answered in 5 ms for a while.
async fn pool(text: &str) -> (Arc<View>, Receiver<Change>) {
    let registry = registry();
    let changes = registry.changes();
    let view = view(&registry, text);
    for _ in 0..20 {
        advance(MILLI * 20).await;
        let each = 0..view.generation().backends.len();
        each.for_each(|index| answer(&view, index));
    }
    (view, changes)
}

fn answer(view: &View, index: usize) {
    view.answered(id(index), Some(MILLI * 5), Instant::now());
    view.succeeded(id(index), true);
}

fn shown(view: &View) -> String {
    let state = |index| view.state(id(index), view.now());
    let names = (0..view.generation().backends.len()).map(|index| Standing::of(&state(index)).name());
    names.collect::<Vec<_>>().join(" ")
}

/// A request to `index` hangs, while those in `others` answer.
async fn hang(view: &View, index: usize, others: &[usize]) {
    advance(MILLI * 20).await;
    let since = Instant::now();
    for _ in 0..16 {
        advance(MILLI * 20).await;
        others.iter().for_each(|other| answer(view, *other));
    }
    view.hangs(id(index), since);
}

#[tokio::test(start_paused = true)]
async fn one_on_which_requests_hang_while_others_answer_is_suspected_until_it_answers() {
    let (view, mut changes) = pool("a@x b@x").await;
    hang(&view, 0, &[1]).await;
    assert_eq!(shown(&view), "suspected unknown");
    let change = changes.try_recv().unwrap();
    assert_eq!((change.to, change.by), (Standing::Suspected, By::Suspicion));
    assert_eq!(&*change.evidence, "no answer to a request for 320 ms, while others answer");
    let status = view.snapshot().remove(0);
    assert_eq!(
        (status.standing, status.by, status.evidence.as_str()),
        ("suspected", By::Suspicion, &*change.evidence)
    );
    answer(&view, 0);
    assert_eq!(shown(&view), "unknown unknown");
    assert_eq!(&*changes.try_recv().unwrap().evidence, "it answers a request");
}

#[tokio::test(start_paused = true)]
async fn nobody_is_suspected_where_no_other_answers() {
    for text in ["a@x", "a@x b@x", "a@x b@y/2"] {
        let (view, _) = pool(text).await;
        hang(&view, 0, &[]).await;
        assert!(!shown(&view).contains("suspected"), "{text}");
        assert!(view.is_doubted(id(0)), "{text}");
        answer(&view, 0);
        assert!(!view.is_doubted(id(0)), "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn one_slow_request_accuses_nobody_who_answers_others() {
    let (view, _) = pool("a@x b@x").await;
    hang(&view, 0, &[0, 1]).await;
    assert_eq!(shown(&view), "unknown unknown");
}

#[tokio::test(start_paused = true)]
async fn a_passed_probe_refutes_a_suspicion_for_an_interval() {
    let (view, mut changes) = pool("a@x b@x").await;
    hang(&view, 0, &[1]).await;
    view.refuted(id(0));
    assert_eq!(shown(&view), "unknown unknown");
    changes.try_recv().unwrap();
    assert_eq!(&*changes.try_recv().unwrap().evidence, "it answers a probe");
    hang(&view, 0, &[1]).await;
    assert_eq!(shown(&view), "unknown unknown");
    advance(Duration::from_secs(5)).await;
    hang(&view, 0, &[1]).await;
    assert_eq!(shown(&view), "suspected unknown");
    view.turned(id(0), Verdict::Unhealthy, "as the test says");
    assert_eq!(shown(&view), "unhealthy unknown");
}

#[tokio::test(start_paused = true)]
async fn what_hangs_on_a_backend_is_told_when_it_is_marked_down_or_ejected() {
    let (view, _) = pool("a@x b@x").await;
    for down in [true, false] {
        let fell = Arc::clone(view.cell(id(0)).unwrap().fell()).notified_owned();
        assert!(!view.is_down(id(0)));
        if down {
            view.turned(id(0), Verdict::Unhealthy, "as the test says");
        } else {
            (0..5).for_each(|_| view.failed(id(0), crate::Fault::Reset));
        }
        fell.await;
        assert!(view.is_down(id(0)));
        view.turned(id(0), Verdict::Healthy, "as the test says");
    }
}

/// Every `late` backend answers late and every other one in time, sixteen times.
async fn crawl(view: &View, late: &[usize]) {
    for _ in 0..16 {
        advance(MILLI * 20).await;
        for index in 0..view.generation().backends.len() {
            view.answered(id(index), (!late.contains(&index)).then_some(MILLI * 5), Instant::now());
            if late.contains(&index) {
                view.late(id(index), MILLI * 400);
            } else {
                view.succeeded(id(index), true);
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_one_far_slower_than_its_tier_is_ejected() {
    let (view, mut changes) = pool("a@x b@x c@x").await;
    crawl(&view, &[1]).await;
    assert_eq!(shown(&view), "unknown ejected unknown");
    let change = changes.try_recv().unwrap();
    assert_eq!(change.by, By::Latency);
    assert_eq!(
        &*change.evidence,
        "12 of its last 16 answers were late, the last by 400 ms or more; for 10 s"
    );
}

#[tokio::test(start_paused = true)]
async fn nobody_is_ejected_for_latency_when_most_of_the_tier_is_slow_or_it_stands_alone() {
    for (text, late) in [
        ("a@x b@x", &[0, 1][..]),
        ("a@x b@x c@x", &[0, 1]),
        ("a@x b@x c@x", &[0, 1, 2]),
        ("a@x", &[0]),
        ("a@x b@y/2", &[0]),
        ("a@x b@x!", &[0]),
    ] {
        let (view, _) = pool(text).await;
        crawl(&view, late).await;
        assert!(!shown(&view).contains("ejected"), "{text} {late:?}: {}", shown(&view));
    }
}

#[tokio::test(start_paused = true)]
async fn a_minority_of_late_answers_ejects_nobody() {
    let (view, _) = pool("a@x b@x").await;
    for round in 0..200 {
        advance(MILLI * 20).await;
        answer(&view, 1);
        if round % 2 == 0 {
            view.late(id(0), MILLI * 400);
        } else {
            answer(&view, 0);
        }
    }
    assert_eq!(shown(&view), "unknown unknown");
}

#[tokio::test(start_paused = true)]
async fn what_is_out_of_line_follows_the_others_of_the_tier() {
    let (view, _) = pool("a@x b@x c@y/2").await;
    assert_eq!(view.out_of_line(id(0)), crate::LEAST);
    (0..200).for_each(|_| view.answered(id(1), Some(Duration::from_secs(1)), Instant::now()));
    assert!(view.out_of_line(id(0)) > Duration::from_secs(2), "{:?}", view.out_of_line(id(0)));
    assert_eq!(view.out_of_line(id(1)), crate::LEAST, "its own pace does not excuse it");
}
