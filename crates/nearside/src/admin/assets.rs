//! The page's files, which stand in the program as they are: nothing is read, unpacked or copied at the start.

use super::answer::{Answer, HTML, TEXT, whole};
use hyper::StatusCode;

const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";

/// The page.
const PAGE: &[u8] = include_bytes!("../../assets/page/index.html");
/// What who has not shown the token sees instead.
const LOGIN: &str = include_str!("../../assets/page/login.html");
/// Where the login form says that the token was none.
const WRONG: &str = "<!-- wrong -->";

macro_rules! assets {
    ($($name:literal: $kind:expr),* $(,)?) => {
        &[$(($name, $kind, include_bytes!(concat!("../../assets/page/", $name)))),*]
    };
}

const ASSETS: &[(&str, &str, &[u8])] = assets! {
    "page.css": STYLE,
    "icon.svg": "image/svg+xml",
    "page.js": SCRIPT,
    "dom.js": SCRIPT,
    "words.js": SCRIPT,
    "map.js": SCRIPT,
    "pools.js": SCRIPT,
    "drains.js": SCRIPT,
    "past.js": SCRIPT,
    "explain.js": SCRIPT,
    "vendor/d3-array.min.js": SCRIPT,
    "vendor/d3-geo.min.js": SCRIPT,
    "vendor/topojson-client.min.js": SCRIPT,
    "vendor/uPlot.iife.min.js": SCRIPT,
    "vendor/uPlot.min.css": STYLE,
    "vendor/land-110m.json": "application/json",
    "vendor/LICENSES.txt": TEXT,
};

/// The page itself.
pub(super) fn page() -> Answer {
    whole(StatusCode::OK, HTML, PAGE)
}

/// The form that asks for the token; `is_wrong` after one that was none.
pub(super) fn login(is_wrong: bool) -> Answer {
    let told = if is_wrong { "<p role=\"alert\" id=\"wrong\">That is not the token.</p>" } else { "" };
    whole(StatusCode::UNAUTHORIZED, HTML, LOGIN.replace(WRONG, told))
}

/// The file under this name, which holds nothing but what stands in the repository.
pub(super) fn find(path: &str) -> Option<Answer> {
    let name = path.strip_prefix('/')?;
    let (_, kind, bytes) = ASSETS.iter().find(|(known, ..)| *known == name)?;
    Some(whole(StatusCode::OK, kind, *bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_page_names_is_served_and_nothing_comes_from_outside() {
        for page in [PAGE, LOGIN.as_bytes()] {
            let text = std::str::from_utf8(page).unwrap();
            for attribute in ["src=\"", "href=\""] {
                for target in text.split(attribute).skip(1).filter_map(|rest| rest.split('"').next()) {
                    let is_asked = ["/status", "/metrics", "/journal", "/history"].contains(&target);
                    let is_here = target.starts_with('#') || is_asked || find(target).is_some();
                    assert!(is_here, "{target}");
                }
            }
        }
        assert!(LOGIN.contains(WRONG));
    }

    #[test]
    fn our_scripts_import_what_is_served_and_write_no_markup() {
        for (name, kind, bytes) in ASSETS.iter().filter(|(name, ..)| !name.starts_with("vendor/")) {
            let text = std::str::from_utf8(bytes).unwrap();
            for import in text.split(" from \"./").skip(1).filter_map(|rest| rest.split('"').next()) {
                assert!(find(&format!("/{import}")).is_some(), "{name}: {import}");
            }
            for way in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "http://"]
            {
                assert!(
                    *kind != SCRIPT || !text.replace("http://www.w3.org", "").contains(way),
                    "{name}: {way}"
                );
            }
        }
    }
}
