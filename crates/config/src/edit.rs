//! The drain mark, set and taken off in the text of the file: comments and layout stay as they are.

mod mark;

pub use mark::Mark;

use crate::load::load;
use crate::report::Report;
use nearside_core::Generation;
use nearside_core::generation::Drain;
use std::str::FromStr;
use yaml_edit::{Document, Mapping, MappingBuilder};

/// What is marked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Target<'a> {
    /// A region.
    Region(&'a str),
    /// A backend of a pool, by its id or its url.
    Backend {
        /// The pool's name.
        pool: &'a str,
        /// The backend's id or url.
        backend: &'a str,
    },
}

impl<'a> Target<'a> {
    /// Reads `region`, or `pool/backend`.
    #[must_use]
    pub fn parse(text: &'a str) -> Self {
        match text.split_once('/') {
            Some((pool, backend)) => Self::Backend { pool, backend },
            None => Self::Region(text),
        }
    }
}

/// Why a mark could not be edited.
#[derive(Debug, thiserror::Error)]
pub enum EditError {
    /// The file is wrong as it stands.
    #[error("{0}")]
    File(Report),
    /// Nothing has this name.
    #[error("there is no {kind} {name:?}; there are {known}")]
    Unknown {
        /// A region or a backend.
        kind: &'static str,
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// The text is laid out in a way that cannot be edited without rewriting it.
    #[error("the mark of {0:?} cannot be edited without rewriting the file: set `drain` by hand")]
    Layout(String),
}

/// The text with this mark on `target`. A mark that says so already stays as it is.
///
/// # Errors
/// The file is wrong, or has no such target.
pub fn drain<'a>(text: &str, target: Target<'_>, mark: impl Into<Mark<'a>>) -> Result<String, EditError> {
    edit(text, target, Some(mark.into()))
}

/// The text without a mark on `target`.
///
/// # Errors
/// The file is wrong, or has no such target.
pub fn undrain(text: &str, target: Target<'_>) -> Result<String, EditError> {
    edit(text, target, None)
}

fn edit(text: &str, target: Target<'_>, mark: Option<Mark<'_>>) -> Result<String, EditError> {
    let (before, ..) = load(text).map_err(EditError::File)?;
    let name = name_of(&before, target)?;
    let there = take_mark(&mut before.clone(), target);
    let is_said = match (&mark, &there) {
        (Some(mark), Some(there)) => mark.is_said_by(there),
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    };
    if is_said {
        return Ok(text.to_owned());
    }
    let meant = mark.map(|mark| mark.over(there.as_ref()));
    let document = Document::from_str(text).ok();
    let edited = document.and_then(|document| {
        match target {
            Target::Region(region) => edit_region(&document, region, meant.as_ref())?,
            Target::Backend { pool, backend } => {
                set(&entry(&document, &before, pool, backend)?, meant.as_ref())?;
            }
        }
        Some(spaced(text, document.to_string()))
    });
    // What was edited has to say what was meant, and nothing else.
    edited.filter(|edited| says(edited, &before, target, meant.as_ref())).ok_or(EditError::Layout(name))
}

/// Whether the edited text differs from `before` in this mark alone.
fn says(edited: &str, before: &Generation, target: Target<'_>, meant: Option<&Drain>) -> bool {
    let Ok((mut after, ..)) = load(edited) else { return false };
    let mut before = before.clone();
    let mark = take_mark(&mut after, target);
    take_mark(&mut before, target);
    after.stamp = before.stamp;
    mark.as_ref() == meant && format!("{after:?}") == format!("{before:?}")
}

fn take_mark(generation: &mut Generation, target: Target<'_>) -> Option<Drain> {
    match target {
        Target::Region(name) => {
            generation.regions.iter_mut().find(|region| &*region.name == name)?.drain.take()
        }
        Target::Backend { pool, backend } => {
            let (pool, index) = place(generation, pool, backend)?;
            generation.backends.edit().get_mut(pool + index)?.drain.take()
        }
    }
}

/// The first backend of the pool, and the backend's place after it.
fn place(generation: &Generation, pool: &str, backend: &str) -> Option<(usize, usize)> {
    let pool = generation.pools.iter().find(|known| &*known.name == pool)?;
    let index = generation.backends_of(pool).iter().position(|known| &*known.name == backend)?;
    Some((pool.first.index(), index))
}

/// The target's name, if there is such a target.
fn name_of(generation: &Generation, target: Target<'_>) -> Result<String, EditError> {
    let list = |names: Vec<String>| if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    match target {
        Target::Region(name) if generation.regions.iter().any(|region| &*region.name == name) => {
            Ok(name.to_owned())
        }
        Target::Region(name) => {
            let known = list(generation.regions.iter().map(|region| region.name.to_string()).collect());
            Err(EditError::Unknown { kind: "region", name: name.to_owned(), known })
        }
        Target::Backend { pool, backend } => {
            let name = format!("{pool}/{backend}");
            if place(generation, pool, backend).is_some() {
                return Ok(name);
            }
            let known = list(generation.backends.iter().map(|backend| backend.key.to_string()).collect());
            Err(EditError::Unknown { kind: "backend", name, known })
        }
    }
}

fn edit_region(document: &Document, name: &str, mark: Option<&Drain>) -> Option<()> {
    let regions = document.get_mapping("regions")?;
    match (regions.get_mapping(name), mark) {
        (Some(region), _) => set(&region, mark)?,
        // `name:` without a value has no mapping to put the mark into.
        (None, Some(mark)) => {
            let region = MappingBuilder::new().pair("drain", "").build_document().as_mapping()?;
            set(&region, Some(mark))?;
            regions.set(name, region);
        }
        (None, None) => {}
    }
    Some(())
}

fn entry(document: &Document, generation: &Generation, pool: &str, backend: &str) -> Option<Mapping> {
    let (_, index) = place(generation, pool, backend)?;
    let declared = document.get_mapping("pools").and_then(|pools| pools.get_mapping(pool));
    let holder = declared.or_else(|| {
        // A route with backends of its own holds a pool of its name.
        let known = generation.pools.iter().position(|known| &*known.name == pool)?;
        let first =
            generation.pools.iter().take(known).filter(|known| declares(document, &known.name)).count();
        let mut inline = routes(document).filter(|route| route.contains_key("backends"));
        inline.nth(known - first)
    })?;
    holder.get_sequence("backends")?.get(index)?.as_mapping().cloned()
}

fn declares(document: &Document, pool: &str) -> bool {
    document.get_mapping("pools").is_some_and(|pools| pools.contains_key(pool))
}

fn routes(document: &Document) -> impl Iterator<Item = Mapping> {
    let routes = document.get_sequence("routes");
    let items = routes.map(|routes| routes.values().collect::<Vec<_>>()).unwrap_or_default();
    items.into_iter().filter_map(|route| route.as_mapping().cloned())
}

/// Gives back the space before a brace that went with the mark: `{ a: b, drain: x }` was `{ a: b }` before.
fn spaced(old: &str, new: String) -> String {
    let same = |(one, other): &(char, char)| one == other;
    let front: usize = old.chars().zip(new.chars()).take_while(same).map(|(c, _)| c.len_utf8()).sum();
    let (Some((head, old_rest)), Some((_, rest))) =
        (old.split_at_checked(front), new.split_at_checked(front))
    else {
        return new;
    };
    match old_rest.strip_suffix(rest) {
        Some(removed) if removed.ends_with(' ') && rest.starts_with('}') && !head.ends_with([' ', '{']) => {
            format!("{head} {rest}")
        }
        _ => new,
    }
}

fn set(mapping: &Mapping, mark: Option<&Drain>) -> Option<()> {
    let Some(mark) = mark else {
        drop(mapping.remove("drain"));
        return Some(());
    };
    match mark::mapping(mark) {
        None => mapping.set("drain", &*mark.reason),
        Some(text) => mapping.set("drain", Document::from_str(&text).ok()?.as_mapping()?),
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "# The entrance.
version: 1
regions:
  frankfurt: {} # first
  dublin:
    place: { country: IE } # west

  virginia: { place: { country: US } }
  tokyo:
pools:
  web:
    backends:
      - { id: fra-a, url: \"http://10.0.0.1\", region: frankfurt } # one
      - id: dub-a # two
        url: http://10.0.0.2
        region: dublin
routes:
  - { host: www.example.com, pool: web }
listeners:
  - { bind: \"127.0.0.1:8080\" }
";

    /// Marks the target; the lines that changed, as they are afterwards.
    fn check(target: &str, mark: Mark<'_>, expected: &[&str]) {
        for text in [FILE.to_owned(), FILE.replace('\n', "\r\n")] {
            let drained = drain(&text, Target::parse(target), mark).unwrap();
            let changed: Vec<&str> =
                drained.lines().filter(|line| !text.lines().any(|old| old == *line)).collect();
            assert_eq!(changed, expected, "{target}");
            let undrained = undrain(&drained, Target::parse(target)).unwrap();
            assert_eq!(comments(&undrained), comments(FILE));
            assert!(load(&undrained).unwrap().0.regions.iter().all(|region| region.drain.is_none()));
        }
    }

    fn comments(text: &str) -> Vec<&str> {
        text.lines().filter_map(|line| line.split_once('#').map(|(_, comment)| comment)).collect()
    }

    #[test]
    fn a_mark_that_says_more_is_a_mapping_in_one_line() {
        let grace = Some(std::time::Duration::from_secs(600));
        let mark = Mark { by: Some("ann"), until: Some("2026-12-01"), grace, .."CHG-1: rollout".into() };
        let said = "{ reason: \"CHG-1: rollout\", by: \"ann\", until: \"2026-12-01\", grace: 10m }";
        check("frankfurt", mark, &[&format!("  frankfurt: {{drain: {said}}} # first")]);
        check("dublin", mark, &[&format!("    drain: {said}")]);
        check("tokyo", mark, &[&format!("    drain: {said}")]);
        check("web/dub-a", mark, &[&format!("        drain: {said}")]);
    }

    #[test]
    fn what_is_not_asked_for_stays_as_the_mark_has_it() {
        let there = "{ reason: one, by: ann, grace: 10m, pinned_sessions: honour_until_grace }";
        let text = FILE.replace("{} # first", &format!("{{ drain: {there} }} # first"));
        let target = Target::Region("frankfurt");
        let signed = Mark { writer: Some("bob"), .."one".into() };
        assert_eq!(drain(&text, target, signed).unwrap(), text, "who writes the same again signs nothing");
        let other = drain(&text, target, Mark { writer: Some("bob"), .."two".into() }).unwrap();
        assert_eq!(other, text.replace("reason: one, by: ann", "reason: \"two\", by: \"bob\""));
        let longer = Mark { grace: Some(std::time::Duration::from_secs(1200)), .."one".into() };
        let (generation, ..) = load(&drain(&text, target, longer).unwrap()).unwrap();
        assert_eq!(generation.regions[0].drain.as_ref().unwrap().grace.as_secs(), 1200);
    }

    #[test]
    fn a_mark_changes_one_line_and_no_comment() {
        check("frankfurt", "rollout".into(), &["  frankfurt: {drain: rollout} # first"]);
        check("dublin", "rollout".into(), &["    drain: rollout"]);
        check("virginia", "rollout".into(), &["  virginia: { place: { country: US }, drain: rollout }"]);
        check("tokyo", "rollout".into(), &["    drain: rollout"]);
        let entry =
            "      - { id: fra-a, url: \"http://10.0.0.1\", region: frankfurt, drain: rollout } # one";
        check("web/fra-a", "rollout".into(), &[entry]);
        check("web/dub-a", "rollout".into(), &["        drain: rollout"]);
    }

    #[test]
    fn a_reason_of_any_text_comes_back_as_it_was() {
        for reason in ["CHG-1: a \"b\" 'c' # d", "yes", "{x}", "- 1", "12", "ü ☃"] {
            let drained = drain(FILE, Target::Region("frankfurt"), reason).unwrap();
            let (generation, ..) = load(&drained).unwrap();
            assert_eq!(generation.regions[0].drain.as_ref().map(|drain| &*drain.reason), Some(reason));
        }
    }

    #[test]
    fn a_second_mark_replaces_the_first() {
        let once = drain(FILE, Target::Region("dublin"), "one").unwrap();
        let twice = drain(&once, Target::Region("dublin"), "two").unwrap();
        assert_eq!(twice, once.replace("drain: one", "drain: two"));
    }

    #[test]
    fn what_does_not_exist_is_told_with_what_does() {
        let error = drain(FILE, Target::parse("francfort"), "x").unwrap_err().to_string();
        assert!(error.contains("francfort") && error.contains("frankfurt, dublin"), "{error}");
        let error = drain(FILE, Target::parse("web/nobody"), "x").unwrap_err().to_string();
        assert!(error.contains("web/fra-a"), "{error}");
        assert!(matches!(drain("version: 2", Target::Region("x"), "x"), Err(EditError::File(_))));
    }
}
