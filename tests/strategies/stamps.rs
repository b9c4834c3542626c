//! Deployment stamps: the home that a request proves decides its stamp.

use crate::{answers, drained, names};
use nearside_tests::client::{ask, refusal, region};
use nearside_tests::page::{KEY, Page};
use nearside_tests::{backend, signed};

fn home(stamp: &str) -> String {
    format!("home={}", signed::value(stamp, &KEY))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_is_served_by_the_stamp_of_their_data() {
    let scene = Page::of("deployment-stamps").scene().await;
    for stamp in ["eu1", "us1", "ap1"] {
        let cookie = home(stamp);
        let expected = format!("{stamp}-a");
        assert_eq!(names(&answers(&scene.edge, 10, &[("cookie", &cookie)]).await), [expected.as_str()]);
        let token = signed::token(&format!(r#"{{"home":"{stamp}"}}"#), &KEY);
        let elsewhere = home(if stamp == "eu1" { "us1" } else { "eu1" });
        let headers = [("authorization", token.as_str()), ("cookie", elsewhere.as_str())];
        let answer = ask(&scene.edge, "/api/orders", &headers).await;
        assert_eq!(region(&answer), stamp, "the token is asked first");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_no_home_is_taken_in_by_pages_and_refused_by_the_api() {
    let scene = Page::of("deployment-stamps").scene().await;
    let of_a_stranger = format!("home={}", signed::value("us1", &[8; 32]));
    for cookie in ["", "home=us1", of_a_stranger.as_str(), home("mars1").as_str()] {
        assert_eq!(ask(&scene.edge, "/", &[("cookie", cookie)]).await.status(), 200, "{cookie}");
        let answer = ask(&scene.edge, "/api/orders", &[("cookie", cookie)]).await;
        assert_eq!(refusal(&answer), (503, "refused.residency".to_owned()), "{cookie}");
    }
    let api = |stamp| scene.requests(stamp).iter().filter(|arrival| arrival.path == "/api/orders").count();
    assert_eq!(["eu1", "us1", "ap1"].map(api), [0, 0, 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_works_on_a_lost_stamps_data_is_refused_and_never_goes_to_another() {
    let scene = Page::of("deployment-stamps").scene().await;
    let cookie = home("us1");
    backend::kill(&scene.of("us1"));
    for _ in 0..10 {
        let answer = ask(&scene.edge, "/api/orders", &[("cookie", &cookie)]).await;
        assert_eq!(refusal(&answer), (502, "failed.connect".to_owned()));
        assert_ne!(region(&ask(&scene.edge, "/", &[("cookie", &cookie)]).await), "us1", "pages are served");
    }
    scene.edge.reload(|text| drained(&text, "us1")).await;
    let answer = ask(&scene.edge, "/api/orders", &[("cookie", &cookie)]).await;
    assert_eq!(refusal(&answer), (503, "refused.residency".to_owned()));
    for stamp in ["eu1", "ap1"] {
        assert!(scene.requests(stamp).iter().all(|arrival| arrival.path == "/"), "{stamp}");
        assert_eq!(region(&ask(&scene.edge, "/api/orders", &[("cookie", &home(stamp))]).await), stamp);
    }
}
