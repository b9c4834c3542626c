//! The sins, each of which some proxy has committed.

use crate::wire::find;

/// What a mutant does wrong.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Sin {
    /// Takes a line feed alone for the end of a line.
    BareLineFeeds,
    /// Makes one of two lengths that are the same.
    MergesLengths,
    /// Takes chunks and a length, and forwards both.
    TwoFramings,
    /// Joins folded lines.
    Unfolds,
    /// Forgives a space before a colon.
    TrimsNames,
    /// Takes the first of two hosts.
    FirstHost,
    /// Forwards what `Connection` names.
    ForwardsHops,
    /// Lets `Connection` remove what it adds itself.
    LosesItsOwn,
    /// Forwards names that differ in punctuation only.
    ForwardsTwins,
    /// Believes the address that a client claims.
    BelievesClients,
    /// Forwards an upgrade to HTTP/2.
    AsksForH2c,
    /// Forwards paths that have several readings.
    AnyPath,
    /// Takes a line feed alone for the end of a chunk.
    LooseChunks,
    /// Forwards every trailer.
    AnyTrailer,
    /// Makes one of two lengths of an answer.
    MergesAnswerLengths,
    /// Forwards what a backend's `Connection` names.
    ForwardsBackendHops,
    /// Ends a cut answer as if it were whole.
    CutsLookWhole,
    /// Makes a tunnel of a 101 that nobody asked for.
    AnySwitch,
    /// Forwards interim answers without end.
    AnyFlood,
    /// Takes what an idle connection says for the next answer.
    KeepsUnasked,
    /// Uses a connection again whose answer came before the request had left.
    ReusesAfterEarly,
}

impl Sin {
    /// What becomes of a request's head before it is read.
    pub(super) fn on_request(self, head: &[u8]) -> Vec<u8> {
        let text = text(head);
        let sinned = match self {
            Self::BareLineFeeds => text.replace("\r\n", "\n").replace('\n', "\r\n"),
            Self::MergesLengths => once(&text, "content-length"),
            Self::TwoFramings if has(&text, "transfer-encoding") => without(&text, "content-length"),
            Self::Unfolds => text.replace("\r\n ", " "),
            Self::TrimsNames => text.replace(" :", ":"),
            Self::FirstHost => once(&text, "host"),
            Self::ForwardsHops => without(&text, "connection"),
            _ => text,
        };
        bytes(&sinned)
    }

    /// What becomes of the head that is forwarded for the one that came.
    pub(super) fn on_forwarded(self, head: &[u8], came: &[u8]) -> Vec<u8> {
        let (forwarded, came) = (text(head), text(came));
        let value = |name: &str| lines(&came).find_map(|line| field(line, name).map(str::to_owned));
        let with =
            |lines: &str| format!("{}{lines}\r\n", forwarded.trim_end_matches("\r\n").to_owned() + "\r\n");
        let sinned = match self {
            Self::TwoFramings if forwarded.contains("transfer-encoding") => match value("content-length") {
                Some(length) => with(&format!("content-length: {length}\r\n")),
                None => forwarded,
            },
            Self::LosesItsOwn => {
                let named = value("connection").unwrap_or_default();
                named.split(',').fold(forwarded, |text, name| without(&text, name.trim()))
            }
            Self::ForwardsTwins => {
                let twins =
                    lines(&came).filter(|line| line.split(':').next().unwrap_or_default().contains('_'));
                with(&twins.map(|line| format!("{line}\r\n")).collect::<String>())
            }
            Self::BelievesClients => match value("x-forwarded-for") {
                Some(claimed) => forwarded.replace("127.0.0.1", &claimed),
                None => forwarded,
            },
            Self::AsksForH2c if has(&came, "http2-settings") => {
                with("connection: upgrade\r\nupgrade: h2c\r\n")
            }
            _ => forwarded,
        };
        bytes(&sinned)
    }

    /// What becomes of an answer's head before it is read.
    pub(super) fn on_answer(self, head: &[u8]) -> Vec<u8> {
        let text = text(head);
        bytes(&match self {
            Self::MergesAnswerLengths => once(&text, "content-length"),
            Self::ForwardsBackendHops => without(&text, "connection"),
            _ => text,
        })
    }
}

/// Where the head ends that `bytes` begin with.
pub(super) fn head_end(bytes: &[u8], loose: bool) -> Option<usize> {
    let strict = find(bytes, b"\r\n\r\n").map(|at| at + 4);
    let ends = [find(bytes, b"\n\n").map(|at| at + 2), find(bytes, b"\n\r\n").map(|at| at + 3)];
    if loose { ends.into_iter().flatten().chain(strict).min() } else { strict }
}

/// Bytes as text and back, one by one.
fn text(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect()
}

fn bytes(text: &str) -> Vec<u8> {
    text.chars().filter_map(|character| u8::try_from(character).ok()).collect()
}

fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.split("\r\n")
}

/// The value of the line, if it is a field of this name.
fn field<'l>(line: &'l str, name: &str) -> Option<&'l str> {
    let (found, value) = line.split_once(':')?;
    found.eq_ignore_ascii_case(name).then(|| value.trim())
}

fn has(text: &str, name: &str) -> bool {
    lines(text).any(|line| field(line, name).is_some())
}

/// The head without the fields of this name.
fn without(text: &str, name: &str) -> String {
    lines(text).filter(|line| field(line, name).is_none()).collect::<Vec<_>>().join("\r\n")
}

/// The head with the first field of this name only.
fn once(text: &str, name: &str) -> String {
    let mut seen = false;
    let first = |line: &&str| field(line, name).is_none() || !std::mem::replace(&mut seen, true);
    lines(text).filter(first).collect::<Vec<_>>().join("\r\n")
}
