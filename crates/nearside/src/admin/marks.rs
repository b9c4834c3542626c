//! Marks from the page: what one would mean is shown first, with its figures, and made when that is confirmed.

use super::answer::{Answer, JSON, TEXT, whole};
use super::entry::Rights;
use crate::status::Desk;
use crate::{file, remains, rewrite};
use hyper::StatusCode;
use nearside_config::edit::{self, Mark, Target};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::path::Path;
use tracing::info;

/// What is asked for, as `nearside drain` has it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wish {
    target: String,
    #[serde(default)]
    reason: String,
    by: Option<String>,
    until: Option<String>,
    grace: Option<String>,
    /// Whether it is made whatever speaks against it.
    #[serde(default)]
    force: bool,
    /// What was shown; nothing is changed without.
    confirm: Option<String>,
}

/// Shows what the change that `body` asks for would mean, or makes it where it was shown. `marked` is whether a mark is
/// set or taken off.
pub(super) async fn change(desk: &Desk, body: &[u8], marked: bool, rights: Rights) -> Answer {
    let wish: Wish = match serde_json::from_slice(body) {
        Ok(wish) => wish,
        Err(cause) => return whole(StatusCode::BAD_REQUEST, TEXT, format!("{cause}\n")),
    };
    let (status, file) = (desk.read(), desk.story.file.clone());
    // Files are read and a fleet's traffic is tried out: probes and other questions go on meanwhile.
    let made = tokio::task::spawn_blocking(move || wish.answer(&file, &status, marked, rights)).await;
    match made {
        Ok(Ok((status, told))) => whole(status, JSON, format!("{told:#}\n")),
        Ok(Err(cause)) => whole(StatusCode::BAD_REQUEST, TEXT, format!("{cause:#}\n")),
        Err(cause) => whole(StatusCode::INTERNAL_SERVER_ERROR, TEXT, format!("{cause}\n")),
    }
}

impl Wish {
    fn answer(
        &self,
        path: &Path,
        status: &Value,
        marked: bool,
        rights: Rights,
    ) -> anyhow::Result<(StatusCode, Value)> {
        let old = file::text(path)?;
        let new = self.edited(&old, marked)?;
        let remains = remains::objections(&old, &new, Some(status));
        let (shown, objections) = (print(&old, &new), if marked { remains.grave } else { Vec::new() });
        let why_not = why_not(path, rights);
        let mut told = json!({
            "target": self.target,
            "file": path.display().to_string(),
            "says_so_already": old == new,
            "objections": objections,
            "doubtful": remains.doubtful,
            "basis": remains.basis,
            "regions": remains.regions,
            "command": self.command(path, marked),
            "why_not": why_not,
            "confirm": shown,
            "done": false,
        });
        // The file may hold what only those may read who could change it.
        if rights == Rights::Change {
            add(&mut told, "patch", rewrite::patch(&path.display().to_string(), &old, &new).into());
        }
        let Some(confirmed) = &self.confirm else { return Ok((StatusCode::OK, told)) };
        let refusal = match &why_not {
            Some(why_not) => Some((StatusCode::FORBIDDEN, why_not.clone())),
            None if *confirmed != shown => {
                Some((StatusCode::CONFLICT, "the file has changed since this was shown".to_owned()))
            }
            None if !objections.is_empty() && !self.force => {
                Some((StatusCode::CONFLICT, "something speaks against it".to_owned()))
            }
            None => None,
        };
        if let Some((status, why)) = refusal {
            add(&mut told, "refused", why.into());
            return Ok((status, told));
        }
        rewrite::replace(path, &old, &new)?;
        info!(
            target = self.target,
            marked,
            by = self.by.as_deref().unwrap_or("-"),
            "mark changed on the page"
        );
        add(&mut told, "done", true.into());
        Ok((StatusCode::OK, told))
    }

    fn edited(&self, old: &str, marked: bool) -> anyhow::Result<String> {
        let target = Target::parse(&self.target);
        if !marked {
            return Ok(edit::undrain(old, target)?);
        }
        if self.reason.trim().is_empty() {
            anyhow::bail!("say why: the reason stands in the file and in `status`");
        }
        let said = |text: &Option<String>| text.clone().filter(|text| !text.trim().is_empty());
        let wrong = |what: &str| {
            let what = what.to_owned();
            move |why: String| anyhow::anyhow!("{what}: {why}")
        };
        let by = said(&self.by);
        let until = said(&self.until).map(|until| nearside_config::read_date(&until)).transpose();
        let until = until.map_err(wrong("until"))?;
        let grace = said(&self.grace).map(|grace| nearside_config::read_duration(&grace)).transpose();
        let mark = Mark {
            reason: self.reason.trim(),
            by: by.as_deref(),
            writer: None,
            until: until.as_deref(),
            grace: grace.map_err(wrong("grace"))?,
        };
        Ok(edit::drain(old, target, mark)?)
    }

    /// The same in a shell.
    fn command(&self, path: &Path, marked: bool) -> String {
        let verb = if marked { "drain" } else { "undrain" };
        let mut words = vec!["nearside".to_owned(), verb.to_owned(), quoted(&self.target)];
        let options = [
            ("--reason", Some(&self.reason)),
            ("--by", self.by.as_ref()),
            ("--until", self.until.as_ref()),
            ("--grace", self.grace.as_ref()),
        ];
        for (option, value) in options.into_iter().filter(|_| marked) {
            if let Some(value) = value.filter(|value| !value.trim().is_empty()) {
                words.extend([option.to_owned(), quoted(value)]);
            }
        }
        if self.force && marked {
            words.push("--force".to_owned());
        }
        words.extend(["--file".to_owned(), quoted(&path.display().to_string())]);
        words.join(" ")
    }
}

fn add(told: &mut Value, name: &str, value: Value) {
    if let Some(told) = told.as_object_mut() {
        told.insert(name.to_owned(), value);
    }
}

/// Why it cannot be changed from here, where it cannot.
fn why_not(path: &Path, rights: Rights) -> Option<String> {
    if rights == Rights::Look {
        let why =
            "changes from the page need a token (`observe.admin_token`), so that it is known who makes them";
        return Some(why.to_owned());
    }
    let cause = rewrite::may_replace(path).err()?;
    Some(format!("this nearside may not write {}: {cause}", path.display()))
}

/// What tells this change from every other.
fn print(old: &str, new: &str) -> String {
    let whole = Sha256::new().chain_update(old).chain_update([0]).chain_update(new).finalize();
    whole.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

/// A word as a shell takes it for one.
fn quoted(word: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:@%+=,".contains(&byte);
    if !word.is_empty() && word.bytes().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    const FILE: &str = "version: 1
regions: { a: {}, b: {} }
pools:
  web:
    backends:
      - { id: one, url: \"http://127.0.0.1:1\", region: a }
      - { id: two, url: \"http://127.0.0.1:2\", region: b }
routes: [{ host: h.example, pool: web }]
listeners: [{ bind: \"127.0.0.1:8443\" }]
";

    fn wish(text: &str) -> Wish {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn a_mark_is_shown_and_then_made_as_it_was_shown() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("routes.yaml");
        fs::write(&path, FILE).unwrap();
        let ask = |text: &str, marked, rights| {
            let (status, told) = wish(text).answer(&path, &Value::Null, marked, rights).unwrap();
            (status.as_u16(), told)
        };
        let asked = "{\"target\": \"a\", \"reason\": \"it's late\"}";
        let (status, shown) = ask(asked, true, Rights::Change);
        assert_eq!((status, shown["done"].as_bool()), (200, Some(false)));
        assert_eq!(fs::read_to_string(&path).unwrap(), FILE);
        let command = shown["command"].as_str().unwrap();
        let words = shlex::split(command).unwrap();
        assert_eq!(words[..5], ["nearside", "drain", "a", "--reason", "it's late"], "{command}");
        let confirm = shown["confirm"].as_str().unwrap();
        let confirmed = asked.replace('}', &format!(", \"confirm\": \"{confirm}\"}}"));
        assert_eq!(ask(&confirmed, true, Rights::Look).0, 403);
        assert_eq!(ask(&confirmed.replace("late", "later"), true, Rights::Change).0, 409);
        assert_eq!(fs::read_to_string(&path).unwrap(), FILE);
        let (status, made) = ask(&confirmed, true, Rights::Change);
        assert_eq!((status, made["done"].as_bool()), (200, Some(true)));
        assert!(fs::read_to_string(&path).unwrap().contains("it's late"));
        // What was confirmed once is no key to the next change.
        assert_eq!(ask(&confirmed, true, Rights::Change).0, 409);
    }

    #[test]
    fn what_would_leave_nobody_to_serve_has_to_be_forced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("routes.yaml");
        fs::write(&path, FILE.replace("a: {}", "a: { drain: x }")).unwrap();
        let ask = |text: String| wish(&text).answer(&path, &Value::Null, true, Rights::Change).unwrap();
        let asked = |more: &str| format!("{{\"target\": \"b\", \"reason\": \"r\"{more}}}");
        let shown = ask(asked("")).1;
        assert!(shown["objections"][0].as_str().unwrap().contains("nothing that is well"), "{shown}");
        let confirm = format!(", \"confirm\": {}", shown["confirm"]);
        assert_eq!(ask(asked(&confirm)).0, 409);
        assert_eq!(ask(asked(&format!("{confirm}, \"force\": true"))).0, 200);
    }

    #[test]
    fn words_are_quoted_for_a_shell() {
        for word in ["plain", "", "two words", "it's", "$(reboot)", "a\nb", "--force", "ü"] {
            assert_eq!(shlex::split(&quoted(word)), Some(vec![word.to_owned()]), "{word}");
        }
    }
}
