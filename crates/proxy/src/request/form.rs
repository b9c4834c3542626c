//! Form: the path by which a request's route is chosen, and in which form it is forwarded.

use nearside_core::path;
use nearside_core::route::Paths;
use nearside_core::table::Table;
use nearside_http::RequestHead;

/// The normal form of a path that came in another one.
#[derive(Debug)]
pub(crate) struct Form {
    /// By which the route is chosen.
    pub(crate) judged: Box<str>,
    /// Whether this is forwarded, too.
    pub(crate) forwarded: bool,
}

/// In which ways a path can be read.
#[derive(Debug)]
pub(crate) enum Reading {
    /// In one: as it came.
    Plain,
    /// In one; its normal form has the escapes in upper case.
    Cased(String),
    /// In several; its normal form.
    Several(String),
    /// In none that two programs agree on.
    None,
}

/// The path has no form in which it can be forwarded.
#[derive(Debug)]
pub(crate) struct Ambiguous;

impl Reading {
    pub(crate) fn of(path: &str) -> Self {
        let is_plain = path::is_plain(path);
        if is_plain && !path::has_lower_escapes(path) {
            return Self::Plain;
        }
        match path::normal(path) {
            Some(normal) if is_plain => Self::Cased(normal),
            Some(normal) => Self::Several(normal),
            None => Self::None,
        }
    }
}

/// The form in which the path of `head`, which reads so, is judged; none where that is how it came.
///
/// # Errors
/// It has no normal form, or the route that is chosen by that wants it as it came and it is not, or the path as it came leads
/// elsewhere.
pub(crate) fn of(
    head: &RequestHead,
    reading: Reading,
    routes: &Table,
) -> Result<Option<Box<Form>>, Ambiguous> {
    let (judged, is_plain) = match reading {
        Reading::Plain => return Ok(None),
        Reading::Cased(normal) => (normal, true),
        Reading::Several(normal) => (normal, false),
        Reading::None => return Err(Ambiguous),
    };
    let find = |path: &str| routes.find(head.authority().host(), path, head.method_text()).ok();
    let found = find(&judged);
    let paths = found.and_then(|id| routes.route(id)).map_or(Paths::Strict, |route| route.paths);
    let forwarded = match paths {
        // In upper or in lower case, an escape has one reading.
        Paths::Strict | Paths::AsIs if is_plain => false,
        Paths::Strict => return Err(Ambiguous),
        Paths::Normalise => true,
        Paths::AsIs if find(head.path()) == found => false,
        Paths::AsIs => return Err(Ambiguous),
    };
    Ok(Some(Box::new(Form { judged: judged.into(), forwarded })))
}
