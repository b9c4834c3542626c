//! The runbooks: a PoP is broken in each of their ways, and what they say is done, seen and over.

use crate::{parser, top};
use nearside_tests::edge::NAMES;
use nearside_tests::load::Load;
use nearside_tests::{Edge, Stage, backend, client, eventually, tool};
use pulldown_cmark::{CodeBlockKind, Event, Tag, TagEnd};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

/// The lines of a section that are typed into a shell.
struct Runbook {
    lines: Vec<String>,
}

impl Runbook {
    fn of(title: &str) -> Self {
        let text = fs::read_to_string(top().join("docs/RUNBOOKS.md")).unwrap();
        let section = text.split("\n## ").find(|section| section.lines().next() == Some(title));
        let section = section.unwrap_or_else(|| panic!("no runbook {title:?}"));
        for part in ["| You see |", "| It is over |"] {
            assert!(section.contains(part), "{title}: {part}");
        }
        let (mut lines, mut is_shell) = (Vec::new(), false);
        for event in parser(section) {
            match event {
                Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(kind))) => is_shell = &*kind == "sh",
                Event::End(TagEnd::CodeBlock) => is_shell = false,
                Event::Text(text) if is_shell => lines.extend(text.lines().map(str::to_owned)),
                _ => {}
            }
        }
        Self { lines }
    }

    /// Types the next line that begins so; those before it were others' programs. What it says.
    fn next(&mut self, begin: &str, folder: &Path) -> String {
        let at = self.lines.iter().position(|line| line.starts_with(begin));
        let at = at.unwrap_or_else(|| panic!("no line is left that begins with {begin:?}: {:?}", self.lines));
        let line = self.lines.drain(..=at).next_back().unwrap();
        let program = nearside_tests::program();
        let others = std::env::var_os("PATH").unwrap_or_default();
        let folders =
            std::iter::once(program.parent().unwrap().to_owned()).chain(std::env::split_paths(&others));
        let mut shell = Command::new("sh");
        // What only arranges the output may be missing here.
        let call = line.split(" | ").next().unwrap();
        shell.args(["-c", call]).current_dir(folder).env("NEARSIDE_STATE_DIR", "state");
        let output = tokio::task::block_in_place(|| {
            shell.env("PATH", std::env::join_paths(folders).unwrap()).output().unwrap()
        });
        let said =
            String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{line}: {said}");
        said
    }

    /// Nothing of the page is left out.
    fn done(self) {
        let ours: Vec<&String> = self.lines.iter().filter(|line| line.starts_with("nearside ")).collect();
        assert!(ours.is_empty(), "not tried: {ours:?}");
    }
}

/// Waits until the journal says so, which is written in the background.
async fn written(edge: &Edge, word: &str) {
    let told = async || {
        let told = edge.call(&["journal"]).stdout;
        String::from_utf8_lossy(&told).contains(word).then_some(())
    };
    eventually(&format!("{word:?} in the journal"), told).await;
}

/// Everything that is looked for is said.
fn says(said: &str, expected: &[&str]) {
    for text in expected {
        assert!(said.contains(text), "no {text:?} in: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_region_is_down() {
    let Stage { edge, mut frankfurt, virginia: _virginia } = Stage::new().await;
    let (mut book, folder) = (Runbook::of("A region is down"), edge.folder());
    backend::kill(&[&frankfurt]);
    assert_eq!(client::region(&client::ask(&edge, "/", &[]).await), "virginia");
    edge.knows("web/fra-a", "unhealthy").await;
    written(&edge, "failover").await;
    says(&book.next("nearside", folder), &["unhealthy", "fra-a"]);
    says(&book.next("nearside", folder), &["fell", "failover"]);
    says(&book.next("nearside", folder), &["virginia"]);
    book.next("nearside drain", folder);
    frankfurt.again().await;
    edge.knows("web/fra-a", "healthy").await;
    assert_eq!(
        client::region(&client::ask(&edge, "/", &[]).await),
        "virginia",
        "a mark is stronger than health"
    );
    book.next("nearside undrain", folder);
    let said = book.next("nearside status", folder);
    assert!(!said.contains("INC-17"), "{said}");
    book.done();
}

#[tokio::test(flavor = "multi_thread")]
async fn drain_for_maintenance() {
    let stage = Stage::new().await;
    let (mut book, folder) = (Runbook::of("Drain for maintenance"), stage.edge.folder());
    says(&book.next("nearside", folder), &["virginia 100 %"]);
    book.next("nearside drain", folder);
    says(&book.next("nearside", folder), &["drained", "CHG-4412 kernel rollout"]);
    written(&stage.edge, "emptied").await;
    says(&book.next("nearside", folder), &["begun", "emptied", "ops"]);
    assert_eq!(client::region(&client::ask(&stage.edge, "/", &[]).await), "virginia");
    book.next("nearside undrain", folder);
    assert_eq!(client::region(&client::ask(&stage.edge, "/", &[]).await), "frankfurt");
    book.done();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_expires() {
    let stage = Stage::new().await;
    let (edge, folder) = (&stage.edge, stage.edge.folder());
    let (certificate, key) = edge.authority.sign_as(NAMES, |params| {
        params.not_after = (std::time::SystemTime::now() + std::time::Duration::from_secs(5 * 86_400)).into();
    });
    let before = edge.generation();
    fs::write(folder.join("certs/soon"), certificate + &key).unwrap();
    fs::set_permissions(folder.join("certs/soon"), fs::Permissions::from_mode(0o600)).unwrap();
    fs::rename(folder.join("certs/soon"), folder.join("certs/www.pem")).unwrap();
    eventually("the next generation", async || (edge.generation() > before).then_some(())).await;
    let mut book = Runbook::of("A certificate expires");
    says(&book.next("nearside check", folder), &["1 warning", "expires"]);
    written(edge, "changed").await;
    says(&book.next("nearside journal", folder), &["www.pem", "changed"]);
    // As `install` and `mv` on the page.
    edge.authority.write(&folder.join("certs/new"), NAMES);
    let before = edge.generation();
    fs::rename(folder.join("certs/new"), folder.join("certs/www.pem")).unwrap();
    eventually("the next generation", async || (edge.generation() > before).then_some(())).await;
    book.next("nearside status", folder);
    book.done();
    says(&Runbook::of("A certificate expires").next("nearside check", folder), &["0 errors, 0 warnings"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn overload() {
    let stage = Stage::new().await;
    let (mut book, edge) = (Runbook::of("Overload"), &stage.edge);
    let load = Load::start(edge, 100);
    load.more(20).await;
    // The first of the page's remedies: what is more than a region's capacity spills over.
    edge.reload(|text| text.replace("frankfurt: {}", "frankfurt: { capacity: 20 rps }")).await;
    eventually("a spillover", async || {
        edge.records().iter().any(|record| record["reason"] == "won.spillover").then_some(())
    })
    .await;
    says(&book.next("nearside", edge.folder()), &["offered_rps", "capacity_rps"]);
    says(&book.next("nearside", edge.folder()), &["virginia"]);
    book.done();
    assert!(load.end().await.iter().all(nearside_tests::load::Outcome::is_fine));
    // The last one: whoever is too many is refused quickly, with a word on when to come again.
    edge.reload(|text| text.replace("pool: web }", "pool: web, limits: { concurrency: 1 } }")).await;
    let (client, slow) = (client::reqwest(edge, true), client::url(edge, "/slow/2000"));
    let both = || futures_util::future::join(client.get(&slow).send(), client.get(&slow).send());
    let (one, other) = both().await;
    let mut answers = [one.unwrap(), other.unwrap()];
    answers.sort_by_key(reqwest::Response::status);
    assert_eq!(answers.each_ref().map(|answer| answer.status().as_u16()), [200, 429]);
    assert!(answers[1].headers().contains_key("retry-after"));
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_routing() {
    const WRONG: &str =
        "routes:\n  - { id: wrong, host: www.example.com, path: /a, answer: { status: 404 } }\n";
    let stage = Stage::new().await;
    let (mut book, edge) = (Runbook::of("Wrong routing"), &stage.edge);
    edge.reload(|text| text.replacen("routes:\n", WRONG, 1)).await;
    let answer = client::ask(edge, "/a", &[]).await;
    let own = answer.headers()["x-nearside-ref"].to_str().unwrap().to_owned();
    let record = eventually("its record", async || {
        edge.records().into_iter().find(|record| record["ref"] == own.as_str())
    })
    .await;
    assert_eq!((&record["route"], &record["status"]), (&"wrong".into(), &404.into()));
    says(&book.next("nearside explain", edge.folder()), &["wrong"]);
    says(&book.next("nearside geo", edge.folder()), &["203.0.113.9"]);
    edge.rewrite(|text| text.replacen(WRONG, "routes:\n", 1));
    says(&book.next("nearside check", edge.folder()), &["0 errors"]);
    says(&book.next("nearside explain", edge.folder()), &["frankfurt"]);
    eventually("the mended file", async || {
        (client::ask(edge, "/a", &[]).await.status() == 200).then_some(())
    })
    .await;
    says(&book.next("nearside explain", edge.folder()), &["frankfurt"]);
    book.done();
}

#[tokio::test(flavor = "multi_thread")]
async fn roll_back() {
    let stage = Stage::new().await;
    let (mut book, edge) = (Runbook::of("Roll back"), &stage.edge);
    let hash = || {
        let stamp = edge.status()["generation"].as_str().unwrap().to_owned();
        stamp.split_once('-').unwrap().1.to_owned()
    };
    let commit = || {
        const COMMIT: &str = "git init --quiet; git add routes.yaml; \
            git -c user.name=ops -c user.email=ops@example.com commit --quiet --message change";
        let mut shell = Command::new("sh");
        tool::output(shell.args(["-e", "-c", COMMIT]).current_dir(edge.folder()))
    };
    if tool::run("git", &["--version"]).is_none() {
        return;
    }
    let good = hash();
    assert!(commit().is_some_and(|output| output.status.success()));
    edge.reload(|text| text.replace("virginia: {}", "virginia: { capacity: 1 rps }")).await;
    assert!(commit().is_some_and(|output| output.status.success()));
    assert_ne!(hash(), good);
    written(edge, "swapped").await;
    says(&book.next("nearside journal", edge.folder()), &["swapped", "started"]);
    book.next("nearside status", edge.folder());
    book.next("cp ", edge.folder());
    book.next("git checkout", edge.folder());
    eventually("the old file", async || (hash() == good).then_some(())).await;
    book.next("nearside status", edge.folder());
    let first = edge.serving();
    book.next("nearside upgrade", edge.folder());
    eventually("another process", async || (edge.serving()? != first?).then_some(())).await;
    book.done();
    assert_eq!(hash(), good);
}
