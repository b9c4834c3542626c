//! What people do at the page at three in the morning.

use crate::browser::Browser;
use crate::setting::{MARKUP, Scene, TOKEN};
use nearside_tests::backend;
use nearside_tests::client::{reqwest, url};
use serde_json::json;

/// The row of a table that is headed by this name, as an expression.
fn row(table: &str, name: &str) -> String {
    format!(
        "[...document.querySelectorAll('{table} tbody tr')].find((row) => row.cells[0].textContent === {})",
        json!(name)
    )
}

/// Its cell with this label.
fn cell(table: &str, name: &str, label: &str) -> String {
    format!("{}?.querySelector('[data-label=\"{label}\"]')?.textContent", row(table, name))
}

async fn log_in(browser: &Browser, scene: &Scene) {
    browser.go(&scene.page()).await;
    browser.fill("#token", "00").await;
    browser.click("button").await;
    browser.until("document.querySelector('#wrong')?.textContent === 'That is not the token.'").await;
    browser.fill("#token", TOKEN).await;
    browser.click("button").await;
    browser.until("document.querySelector('#contact')?.textContent === '● live'").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_sees_what_is_wrong_asks_why_and_drains() {
    let Some(browser) = Browser::open().await else { return };
    let scene = Scene::usual().await;
    log_in(&browser, &scene).await;
    sees_the_map(&browser).await;
    sees_a_backend_fall(&browser, &scene).await;
    opens_a_backend(&browser).await;
    asks_why(&browser).await;
    drains_a_region(&browser, &scene).await;
    takes_the_mark_off(&browser, &scene).await;
    // A refused load shows in the log of the browser; the wrong token was one.
    let complaints = browser.complaints().await;
    let others: Vec<&String> = complaints.iter().filter(|it| !it.contains("401 (Unauthorized)")).collect();
    assert!(others.is_empty(), "{others:#?}");
    browser.close().await;
}

async fn sees_the_map(browser: &Browser) {
    browser.until("document.querySelectorAll('#world path.way').length === 3").await;
    browser.until("document.querySelector('#world path.land')").await;
    for region in ["frankfurt", "dublin", "virginia"] {
        let way = browser
            .eval(&format!("return document.querySelector('[data-region={region}]').getAttribute('d')"))
            .await;
        assert!(way.as_str().unwrap().len() > 20, "{way}");
        browser
            .until(&format!("document.querySelector('#map-title').textContent.includes('{region}: ')"))
            .await;
    }
    browser.until("document.querySelector('[data-region=frankfurt]').classList.contains('well')").await;
    browser
        .until("[...document.querySelectorAll('#world text')].some((it) => / ms/.test(it.textContent))")
        .await;
    // Text is text, whatever stands in it.
    browser.until(&format!("document.querySelector('#pools').textContent.includes({})", json!(MARKUP))).await;
    browser
        .until(&format!("document.querySelector('#problems').textContent.includes({})", json!(MARKUP)))
        .await;
    assert!(browser.eval("return document.title").await.as_str().unwrap().contains("test1"));
    assert_eq!(browser.eval("return document.querySelectorAll('main script, main img').length").await, 0);
}

async fn sees_a_backend_fall(browser: &Browser, scene: &Scene) {
    browser.until("document.querySelector('#verdict').textContent.startsWith('● All is well')").await;
    browser.eval("window.kept = 'since before'").await;
    backend::kill(&[&scene.frankfurt]);
    browser.until(&format!("{} === '✕ unhealthy'", cell("#pools", "fra-a", "Stands"))).await;
    browser.until(&format!("{} === 'its probes'", cell("#pools", "fra-a", "Says who"))).await;
    browser
        .until(&format!("{}.includes('Connection refused')", cell("#pools", "fra-a", "On what evidence")))
        .await;
    browser.until("document.querySelector('[data-region=frankfurt]').classList.contains('none')").await;
    browser.until("document.querySelector('[data-problem=\"backend web/fra-a\"]')").await;
    browser.until("document.querySelector('#news').textContent.includes('web/fra-a is unhealthy')").await;
    browser.until("document.querySelector('#journal-table').textContent.includes('health fell')").await;
    assert_eq!(browser.eval("return window.kept").await, "since before", "the page was not loaded anew");
}

async fn opens_a_backend(browser: &Browser) {
    browser.click("[data-problem='backend web/fra-a'] button").await;
    browser.until("document.activeElement.textContent === 'fra-a' && document.activeElement.ariaExpanded === 'true'").await;
    let details = browser.text(".details").await;
    for word in ["web/fra-a", "Last error", "Connection refused", "Priority and weight", "failed"] {
        assert!(details.contains(word), "{word}: {details}");
    }
}

async fn asks_why(browser: &Browser) {
    browser.fill("#explain-host", "www.example.com").await;
    browser.fill("#explain-client", "203.0.113.9").await;
    browser.click("#explain-form button").await;
    browser
        .until("document.querySelector('#choice')?.textContent.includes('dub-a in dublin: won.failover')")
        .await;
    let steps = browser.text("#explained table").await;
    for word in ["fra-a", "excluded.unhealthy", "iad-a", "excluded.drained"] {
        assert!(steps.contains(word), "{word}: {steps}");
    }
    browser.fill("#explain-host", "nobody.example").await;
    browser.click("#explain-form button").await;
    browser
        .until("document.querySelector('#choice')?.textContent.includes('refused with 404: no_route.host')")
        .await;
}

async fn drains_a_region(browser: &Browser, scene: &Scene) {
    // Something is under way in Dublin, and ends when we say so.
    let open = reqwest(&scene.edge, true).get(url(&scene.edge, "/drip/3000/100")).send().await.unwrap();
    assert_eq!(open.headers()["x-sample-region"], "dublin");
    browser.click("[aria-label='Drain dublin…']").await;
    browser.fill("#mark-reason", "CHG-4412 kernel rollout").await;
    browser.fill("#mark-by", "ann").await;
    browser.click("#mark-show").await;
    // Frankfurt is down: who is left may not serve, so that it has to be forced.
    browser.until("document.querySelector('#mark-shown').textContent.includes('nothing that is well would be left')").await;
    for word in ["Where the requests would go", "dublin", "20,000/s", "--reason 'CHG-4412 kernel rollout'"] {
        browser
            .until(&format!("document.querySelector('#mark-shown').textContent.includes({})", json!(word)))
            .await;
    }
    assert_eq!(browser.eval("return document.querySelector('#mark-confirm').disabled").await, true);
    assert!(!scene.edge.status()["drains"].to_string().contains("CHG-4412"), "showing changes nothing");
    browser.click("#mark-force").await;
    browser.click("#mark-confirm").await;
    browser.until("document.querySelector('#mark-done')").await;
    browser.click("#mark-close").await;
    browser.until(&format!("{} === '◧ draining'", cell("#drain-table", "dublin", "State"))).await;
    browser.until(&format!("{} === 'web/dub-a: 1'", cell("#drain-table", "dublin", "Still in flight"))).await;
    browser.until(&format!("{} === 'ann'", cell("#drain-table", "dublin", "Who"))).await;
    drop(open);
    browser.until(&format!("{} === '◧ drained'", cell("#drain-table", "dublin", "State"))).await;
    browser.until("document.querySelector('[data-region=dublin]').classList.contains('drained')").await;
    browser.until(&format!("{}?.startsWith('◧')", cell("#region-table", "dublin", "State"))).await;
    // What the new generation changed can be read.
    browser.until("document.querySelector('#generation-table button')").await;
    browser.click("#generation-table button").await;
    browser
        .until("document.querySelector('#generation-table .added')?.textContent.includes('CHG-4412')")
        .await;
}

async fn takes_the_mark_off(browser: &Browser, scene: &Scene) {
    browser.click("[aria-label='Undrain dublin…']").await;
    browser.click("#mark-show").await;
    browser.click("#mark-confirm").await;
    browser.until("document.querySelector('#mark-done')").await;
    browser.click("#mark-close").await;
    browser.until(&format!("{}?.startsWith('●')", cell("#region-table", "dublin", "State"))).await;
    assert!(!std::fs::read_to_string(scene.edge.file()).unwrap().contains("CHG-4412"));
}
