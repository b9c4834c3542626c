//! Compliance: whom the GDPR protects never leaves the Union, and that can be proved.

use crate::{answers, drained, names};
use nearside_core::{Choice, Reason, RegionId, decide};
use nearside_tests::client::{ask, refusal};
use nearside_tests::page::Page;
use nearside_tests::{Edge, backend, eventually};
use nearside_whatif::{prove, prove_with};

/// Addresses as the built-in table knows them: in Germany, and in the United States.
const GERMAN: [(&str, &str); 1] = [("x-forwarded-for", "5.9.0.1")];
const AMERICAN: [(&str, &str); 1] = [("x-forwarded-for", "8.8.8.8")];

/// Asks for a path that only this client asks for.
async fn refused(edge: &Edge, headers: &[(&str, &str)]) -> (u16, String) {
    refusal(&ask(edge, "/protected", headers).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn whom_the_law_protects_stays_in_the_union_whatever_is_lost() {
    let scene = Page::of("compliance").scene().await;
    let edge = &scene.edge;
    let union = answers(edge, 20, &GERMAN).await;
    assert!(!union.contains_key("iad-a"), "{union:?}");
    eventually("a request from America that stays there", async || {
        answers(edge, 10, &AMERICAN).await.contains_key("iad-a").then_some(())
    })
    .await;
    assert_eq!(refused(edge, &[]).await, (503, "refused.residency".to_owned()), "an unknown place");
    for _ in 0..10 {
        let answer = ask(edge, "/records/a", &AMERICAN).await;
        assert_ne!(nearside_tests::client::region(&answer), "virginia", "a class for everybody");
    }

    backend::kill(&scene.of("frankfurt"));
    assert_eq!(names(&answers(edge, 20, &GERMAN).await), ["dub-a"]);
    backend::kill(&scene.of("dublin"));
    for _ in 0..10 {
        assert_eq!(refused(edge, &GERMAN).await, (502, "failed.connect".to_owned()));
    }
    assert_eq!(names(&answers(edge, 10, &AMERICAN).await), ["iad-a"], "others are served");
    edge.reload(|text| drained(&drained(&text, "frankfurt"), "dublin")).await;
    let answer = ask(edge, "/protected", &GERMAN).await;
    assert_eq!(refusal(&answer), (503, "refused.residency".to_owned()));
    assert!(answer.headers().contains_key("retry-after"));
    assert!(scene.requests("virginia").iter().all(|arrival| arrival.path == "/"), "none went abroad");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_with_a_hole_in_its_law_does_not_pass() {
    let page = Page::of("compliance");
    let text = |text: &str| text.to_owned();
    let check = |name: &str, change: &dyn Fn(&str) -> String| {
        let folder = page.desk();
        let changed = change(page.file());
        assert_eq!(changed == page.file(), name.is_empty(), "{name}: the hole is planted");
        std::fs::write(folder.path().join("routes.yaml"), changed).unwrap();
        let mut check = std::process::Command::new(nearside_tests::program());
        let output = check.args(["check", "--prove"]).current_dir(folder.path()).output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let (code, said) = check("", &text);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.starts_with("no request of class \"eu-only\" can reach a region outside it"), "{said}");
    for (from, to, problem) in [
        ("[EU, IE]", "[IE]", "\"eu-only\" does not survive the loss of 1 region"),
        ("class: eu-only }]", "class: eu-onyl }]", "eu-onyl"),
        ("region: dublin }", "region: virginia }", "does not survive the loss of 1 region"),
    ] {
        let (code, said) = check(from, &|text| text.replace(from, to));
        assert_eq!(code, Some(1), "{from}: {said}");
        assert!(said.contains(problem), "{from}: {said}");
    }
}

#[test]
fn the_proof_finds_a_decision_that_leaves_the_law() {
    let (generation, ..) = nearside_config::load(Page::of("compliance").file()).unwrap();
    assert!(prove(&generation).is_ok());
    let virginia = generation.regions.iter().position(|region| &*region.name == "virginia").unwrap();
    // One that takes what is up wherever it is, once everything lawful is down.
    let hole = prove_with(&generation, &|input, trace| match decide(input, trace) {
        Choice::Forward(plan) if plan.reason == Reason::WonFailOpen => {
            let region = RegionId::new(virginia);
            Choice::Forward(nearside_core::Plan { region, ..plan })
        }
        choice => choice,
    })
    .unwrap_err();
    assert_eq!(hole.went.index(), virginia);
    assert!(!hole.lost.is_empty(), "it takes a loss to find it: {hole:?}");
}
