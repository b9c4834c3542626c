//! The browser: Chromium without a window, driven through its driver.

use fantoccini::error::CmdError;
use fantoccini::wd::WebDriverCompatibleCommand;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use nearside_tests::tool;
use serde_json::{Map, Value, json};
use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::{Mutex, MutexGuard};

/// One at a time: on a small machine two take more than twice as long.
static TURN: Mutex<()> = Mutex::const_new(());
/// How long something may take on a machine that has much else to do.
const PATIENCE: Duration = Duration::from_secs(60);

/// A browser; dropping it ends it.
pub(crate) struct Browser {
    client: Client,
    driver: Driver,
    _turn: MutexGuard<'static, ()>,
}

/// The driver's process, and where its browser keeps what it has.
struct Driver(Child, TempDir);

impl Drop for Driver {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
        // A driver that is killed leaves its browser behind, whose process this link of its profile names (`host-pid`).
        let Ok(lock) = fs::read_link(self.1.path().join("SingletonLock")) else { return };
        if let Some((_, pid)) = lock.to_string_lossy().rsplit_once('-') {
            drop(Command::new("kill").args(["-KILL", pid]).status());
        }
    }
}

/// What Chromium's driver knows beyond the standard.
#[derive(Debug)]
struct Extra(&'static str, Value);

impl WebDriverCompatibleCommand for Extra {
    fn endpoint(&self, base: &url::Url, session: Option<&str>) -> Result<url::Url, url::ParseError> {
        base.join(&format!("session/{}/{}", session.unwrap_or_default(), self.0))
    }

    fn method_and_body(&self, _: &url::Url) -> (http::Method, Option<String>) {
        (http::Method::POST, Some(self.1.to_string()))
    }
}

impl Browser {
    /// A fresh one; `None`, said loudly, where there is no Chromium.
    pub(crate) async fn open() -> Option<Self> {
        let turn = TURN.lock().await;
        let port = nearside_tests::port();
        let mut command = Command::new("chromedriver");
        command
            .arg(format!("--port={port}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let driver = Driver(tool::spawn(&mut command)?, tempfile::tempdir().unwrap());
        // Root, as in containers, is let in only without the sandbox; /dev/shm is small there.
        let arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-dev-shm-usage",
            "--disable-gpu",
            "--hide-scrollbars",
            "--lang=en",
            &format!("--user-data-dir={}", driver.1.path().display()),
        ];
        let wanted = json!({
            "goog:chromeOptions": { "args": arguments },
            "goog:loggingPrefs": { "browser": "ALL" },
        });
        let Value::Object(wanted) = wanted else { unreachable!("it is an object") };
        let address = format!("http://127.0.0.1:{port}");
        let begun = async {
            loop {
                if let Some(client) = connect(&address, wanted.clone()).await {
                    return client;
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        let client = tokio::time::timeout(PATIENCE, begun).await.expect("a browser begins");
        Some(Self { client, driver, _turn: turn })
    }

    /// Goes to `url`.
    pub(crate) async fn go(&self, url: &str) {
        self.client.goto(url).await.unwrap();
    }

    /// What `script` returns.
    pub(crate) async fn eval(&self, script: &str) -> Value {
        self.client.execute(script, Vec::new()).await.unwrap_or_else(|error| panic!("{script}: {error}"))
    }

    /// Waits until the expression is true of the page.
    pub(crate) async fn until(&self, expression: &str) {
        let wait = async {
            loop {
                // A page that is being left answers nothing.
                let found = self.client.execute(&format!("return Boolean({expression})"), Vec::new()).await;
                if matches!(found, Ok(Value::Bool(true))) {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        if tokio::time::timeout(PATIENCE, wait).await.is_err() {
            let seen = self.eval("return document.body.innerText").await;
            panic!(
                "waited in vain for: {expression}\nthe log: {:#?}\nthe page:\n{seen:#}",
                self.complaints().await
            );
        }
    }

    /// The text of what `selector` finds first.
    pub(crate) async fn text(&self, selector: &str) -> String {
        self.until(&format!("document.querySelector({})", json!(selector))).await;
        let found =
            self.eval(&format!("return document.querySelector({}).textContent", json!(selector))).await;
        found.as_str().unwrap().to_owned()
    }

    /// Clicks at what `selector` finds first.
    pub(crate) async fn click(&self, selector: &str) {
        self.until(&format!("document.querySelector({})", json!(selector))).await;
        let found = self.client.find(Locator::Css(selector)).await.unwrap();
        // What moves while statuses come in is brought into view first, and clicked where it is then.
        found.click().await.unwrap_or_else(|error| panic!("{selector}: {error}"));
    }

    /// Types into what `selector` finds first.
    pub(crate) async fn fill(&self, selector: &str, text: &str) {
        let found = self.client.find(Locator::Css(selector)).await.unwrap();
        found.clear().await.unwrap();
        found.send_keys(text).await.unwrap();
    }

    /// Types into what has the focus.
    pub(crate) async fn press(&self, keys: &str) {
        self.client.active_element().await.unwrap().send_keys(keys).await.unwrap();
    }

    /// Presses Tab until `selector` has the focus.
    pub(crate) async fn tab_to(&self, selector: &str) {
        for _ in 0..200 {
            let here = format!("return Boolean(document.activeElement?.matches({}))", json!(selector));
            if self.eval(&here).await == json!(true) {
                return;
            }
            self.press("\u{e004}").await;
        }
        panic!("the keyboard does not reach {selector}");
    }

    /// Shows the page as a screen of this size and scheme does.
    pub(crate) async fn screen(&self, (width, height): (u32, u32), scheme: &str) {
        let metrics = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.devtools("Emulation.setDeviceMetricsOverride", metrics).await;
        let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.devtools("Emulation.setEmulatedMedia", features).await;
    }

    /// What is seen, as a PNG.
    pub(crate) async fn picture(&self) -> Vec<u8> {
        self.client.screenshot().await.unwrap()
    }

    /// What the browser complains of: errors of scripts, and what the policy forbids.
    pub(crate) async fn complaints(&self) -> Vec<String> {
        let log = self.extra(Extra("se/log", json!({ "type": "browser" }))).await.unwrap();
        let severe = log.as_array().unwrap().iter().filter(|entry| entry["level"] == "SEVERE");
        severe.map(|entry| entry["message"].as_str().unwrap_or_default().to_owned()).collect()
    }

    async fn devtools(&self, command: &str, parameters: Value) {
        let body = json!({ "cmd": command, "params": parameters });
        self.extra(Extra("goog/cdp/execute", body)).await.unwrap();
    }

    async fn extra(&self, command: Extra) -> Result<Value, CmdError> {
        self.client.issue_cmd(command).await
    }

    /// Ends it.
    pub(crate) async fn close(self) {
        drop(self.client.close().await);
        drop(self.driver);
    }
}

async fn connect(address: &str, wanted: Map<String, Value>) -> Option<Client> {
    ClientBuilder::new(HttpConnector::new()).capabilities(wanted).connect(address).await.ok()
}
