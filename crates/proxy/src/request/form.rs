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

/// The path has no form in which it can be forwarded.
#[derive(Debug)]
pub(crate) struct Ambiguous;

/// The form in which the path of `head` is judged; none where that is how it came.
///
/// # Errors
/// It has no normal form, or the route that is chosen by that wants it as it came and it is not, or the path as it came leads
/// elsewhere.
pub(crate) fn of(head: &RequestHead, routes: &Table) -> Result<Option<Box<Form>>, Ambiguous> {
    let came = head.path();
    let is_plain = path::is_plain(came);
    if is_plain && !path::has_lower_escapes(came) {
        return Ok(None);
    }
    let judged = path::normal(came).ok_or(Ambiguous)?;
    let find = |path: &str| routes.find(head.authority().host(), path, head.method_text()).ok();
    let found = find(&judged);
    let paths = found.and_then(|id| routes.route(id)).map_or(Paths::Strict, |route| route.paths);
    let forwarded = match paths {
        // In upper or in lower case, an escape has one reading.
        Paths::Strict | Paths::AsIs if is_plain => false,
        Paths::Strict => return Err(Ambiguous),
        Paths::Normalise => true,
        Paths::AsIs if find(came) == found => false,
        Paths::AsIs => return Err(Ambiguous),
    };
    Ok(Some(Box::new(Form { judged: judged.into(), forwarded })))
}
