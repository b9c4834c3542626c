//! How the page looks and is reached: by keyboard alone, on a phone, by day and by night, for who cannot see it.

use crate::browser::Browser;
use crate::setting::{Demo, TOKEN};
use nearside_tests::Edge;
use nearside_tests::client::{reqwest, url};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

const ENTER: &str = "\u{e007}";
const DESK: (u32, u32) = (1120, 940);
const PHONE: (u32, u32) = (390, 844);
/// The largest that a picture of the docs may be.
const LARGEST: usize = 200 * 1024;

/// What finds flaws of accessibility (axe-core, MPL-2.0).
const AXE: &str = include_str!("axe.min.js");

#[tokio::test(flavor = "multi_thread")]
async fn it_is_used_by_keyboard_alone_and_seen_on_every_screen() {
    let Some(browser) = Browser::open().await else { return };
    let demo = Demo::new().await;
    browser.screen(DESK, "light").await;
    browser.go(&demo.page).await;
    is_accessible(&browser, "the login").await;
    // The form has the focus; the rest of this test touches no mouse.
    browser.press(&format!("{TOKEN}{ENTER}")).await;
    browser.until("document.querySelector('#contact')?.textContent === '● live'").await;
    something_passes(&demo.edge).await;
    browser.until("document.querySelectorAll('#charts canvas').length >= 8").await;
    drains_by_keyboard(&browser).await;
    demo.fail().await;
    browser.until("document.querySelector('[data-problem=\"backend web/fra-b\"]')").await;
    explains_by_keyboard(&browser).await;
    is_seen_everywhere(&browser).await;
    browser.close().await;
}

/// Requests, for as long as it takes until the history has them.
async fn something_passes(edge: &Edge) {
    let client = reqwest(edge, true);
    let seen = async || {
        for _ in 0..20 {
            let answer = client.get(url(edge, "/")).send().await.ok()?;
            answer.bytes().await.ok()?;
        }
        let (_, history) = edge.ask("/history")?;
        history.contains("won.").then_some(())
    };
    nearside_tests::eventually("a history", seen).await;
}

async fn drains_by_keyboard(browser: &Browser) {
    browser.eval("document.activeElement.blur()").await;
    browser.tab_to(".skip").await;
    assert_eq!(browser.eval("return document.activeElement.getBoundingClientRect().left >= 0").await, true);
    browser.press(ENTER).await;
    browser.until("document.activeElement.id === 'content'").await;
    browser.tab_to("[aria-label='Drain dublin…']").await;
    let outline = browser.eval("return getComputedStyle(document.activeElement).outlineStyle").await;
    assert_eq!(outline, "solid", "the focus is seen");
    browser.press(ENTER).await;
    browser.until("document.activeElement.id === 'mark-reason'").await;
    browser.press("CHG-4412 kernel rollout").await;
    browser.tab_to("#mark-by").await;
    browser.press("ann").await;
    browser.tab_to("#mark-show").await;
    browser.press(ENTER).await;
    browser.until("document.activeElement.id === 'mark-confirm'").await;
    is_accessible(browser, "the form of a mark").await;
    keep(browser, "page-drain").await;
    browser.press(ENTER).await;
    browser.until("document.activeElement.id === 'mark-close'").await;
    browser.press(ENTER).await;
    browser.until("!document.querySelector('#mark').open").await;
    // The focus is where it was, on a button that now does the opposite.
    browser.until("document.activeElement.getAttribute('aria-label') === 'Undrain dublin…'").await;
}

async fn explains_by_keyboard(browser: &Browser) {
    browser.tab_to("#explain-host").await;
    browser.press("www.example.com").await;
    browser.tab_to("#explain-client").await;
    browser.press(&format!("203.0.113.9{ENTER}")).await;
    browser.until("document.querySelector('#choice')").await;
    browser.eval("document.querySelector('#pools button.open').click()").await;
    browser.until("document.querySelector('.details')").await;
}

async fn is_seen_everywhere(browser: &Browser) {
    for (screen, scheme, name) in [
        (DESK, "light", "page-light"),
        (DESK, "dark", "page-dark"),
        (PHONE, "light", "page-phone"),
        (PHONE, "dark", "page-phone-dark"),
    ] {
        browser.screen(screen, scheme).await;
        let dark = browser.eval("return getComputedStyle(document.body).backgroundColor").await;
        assert_eq!(dark == json!("rgb(17, 21, 26)"), scheme == "dark", "{dark}");
        // The map is drawn for the screen with the next status.
        let width = if screen == PHONE { 560 } else { 1000 };
        browser
            .until(&format!("document.querySelector('#world svg').viewBox.baseVal.width === {width}"))
            .await;
        browser.until("document.documentElement.scrollWidth <= window.innerWidth").await;
        is_accessible(browser, name).await;
        browser.eval("document.activeElement.blur(); window.scrollTo(0, 0)").await;
        if name != "page-phone-dark" {
            keep(browser, name).await;
        }
    }
    browser.screen(DESK, "light").await;
    browser.eval("document.querySelector('#hours').scrollIntoView({ behavior: 'instant' })").await;
    keep(browser, "page-past").await;
}

/// Nothing that axe-core finds.
async fn is_accessible(browser: &Browser, what: &str) {
    let script = format!(
        "{AXE}\nreturn axe.run(document, {{ resultTypes: ['violations'] }}).then(({{ violations }}) => violations)"
    );
    let found = browser.eval(&script).await;
    let flaws: Vec<Value> = found.as_array().expect("a list").clone();
    let told: Vec<String> =
        flaws.iter().map(|flaw| format!("{}: {} {:#}", flaw["id"], flaw["help"], flaw["nodes"])).collect();
    assert!(told.is_empty(), "{what}: {}", told.join("\n"));
}

/// Records a picture for the docs where that is asked for; that one could be, always.
async fn keep(browser: &Browser, name: &str) {
    let picture = browser.picture().await;
    assert!(picture.starts_with(b"\x89PNG"), "no picture");
    assert!(picture.len() < LARGEST, "{name}: {} bytes", picture.len());
    if std::env::var_os("RECORD").is_some() {
        let path =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/images").join(name).with_extension("png");
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, picture).unwrap();
    }
}
