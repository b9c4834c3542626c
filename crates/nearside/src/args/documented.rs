//! Every call of nearside that the documentation shows is one that the command line understands.

use super::Args;
use clap::Parser;
use clap::error::ErrorKind;
use pulldown_cmark::{CodeBlockKind, Event, Tag, TagEnd};
use std::fs;
use std::path::{Path, PathBuf};

/// The pages: README, everything below `docs`, and what deploys.
fn pages(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            pages(&entry, found);
        } else if entry.extension().is_some_and(|kind| kind == "md") {
            found.push(entry);
        }
    }
}

/// A line that shows calls.
struct Line {
    text: String,
    /// Whether it is a mention within a sentence, which may leave out what is not the matter.
    is_mention: bool,
}

/// The lines of the blocks that are typed into a shell, and every piece of code in the text that begins with the name.
fn lines(text: &str) -> Vec<Line> {
    let typed = |text: &str| Line { text: text.to_owned(), is_mention: false };
    let (mut lines, mut kind) = (Vec::new(), None);
    for event in pulldown_cmark::Parser::new_ext(text, pulldown_cmark::Options::ENABLE_TABLES) {
        match event {
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(name))) => kind = Some(name.to_string()),
            Event::End(TagEnd::CodeBlock) => kind = None,
            Event::Text(text) if kind.as_deref() == Some("sh") => {
                lines.extend(text.replace("\\\n", " ").lines().map(typed));
            }
            Event::Text(text) if kind.as_deref() == Some("console") => {
                lines.extend(text.lines().filter_map(|line| line.strip_prefix("$ ")).map(typed));
            }
            Event::Code(text) if text.starts_with("nearside ") => {
                lines.push(Line { text: text.to_string(), is_mention: true });
            }
            _ => {}
        }
    }
    lines
}

/// The calls of the program in a line of a shell, each as its words.
fn calls(line: &str) -> Vec<Vec<String>> {
    let words = shlex::split(line).unwrap_or_default();
    let ends = |word: &String| ["|", "&&", "||", ";", "&"].contains(&word.as_str());
    let commands = words.split(ends).map(|words| {
        let words = words.iter().filter(|word| *word != "sudo");
        words.take_while(|word| !word.starts_with(['>', '<', '#'])).cloned().collect::<Vec<_>>()
    });
    commands
        .filter(|words| words.first().is_some_and(|word| word == "nearside" || word == "/usr/bin/nearside"))
        .collect()
}

/// A manual's way to say that there is more than one form.
fn is_abbreviated(words: &[String]) -> bool {
    words.len() == 1
        || words.iter().any(|word| word.contains('…') || word.contains("...") || word.contains('|'))
}

/// A mention may leave out what is not the matter, and say a value by a word in capitals.
fn understood(call: &[String], is_mention: bool) -> Result<(), clap::Error> {
    let is_open = |word: &String| word.starts_with("--") || word.chars().all(|it| it.is_ascii_uppercase());
    let stands_for_values = call.iter().any(is_open);
    match Args::try_parse_from(call) {
        Err(error) if is_mention => match error.kind() {
            ErrorKind::MissingRequiredArgument => Ok(()),
            ErrorKind::InvalidValue | ErrorKind::ValueValidation if stands_for_values => Ok(()),
            _ => Err(error),
        },
        Err(error) => Err(error),
        Ok(_) => Ok(()),
    }
}

#[test]
fn every_documented_call_is_understood() {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut found = vec![top.join("README.md")];
    pages(&top.join("docs"), &mut found);
    let (mut count, mut wrong) = (0, Vec::new());
    for page in found {
        let text = fs::read_to_string(&page).unwrap();
        for line in lines(&text) {
            for call in calls(&line.text).iter().filter(|call| !is_abbreviated(call)) {
                count += 1;
                if let Err(error) = understood(call, line.is_mention) {
                    wrong.push(format!("{}: {}\n{error}", page.display(), call.join(" ")));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count > 60, "the pages were read: {count}");
}

#[test]
fn a_call_ends_where_the_shell_says() {
    let told = calls("nearside check x.yaml # why\n");
    assert_eq!(told, [["nearside", "check", "x.yaml"]]);
    let told = calls("sudo nearside status --json | jq . && nearside drain a --reason 'b c' > /dev/null");
    assert_eq!(told[0], ["nearside", "status", "--json"]);
    assert_eq!(told[1], ["nearside", "drain", "a", "--reason", "b c"]);
    assert!(Args::try_parse_from(["nearside", "status", "--jsno"]).is_err());
}
