//! Links lead to files and headings that are there.

use crate::{name, pages, parser, top};
use pulldown_cmark::{Event, Tag, TagEnd};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The anchors of a page's headings, as readers' programs make them.
fn anchors(text: &str) -> BTreeSet<String> {
    let (mut found, mut heading) = (BTreeSet::new(), None::<String>);
    for event in parser(text) {
        match event {
            Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
            Event::End(TagEnd::Heading(_)) => {
                let title = heading.take().unwrap_or_default().to_lowercase();
                let kept = title.chars().filter(|it| it.is_alphanumeric() || [' ', '-', '_'].contains(it));
                found.insert(kept.collect::<String>().replace(' ', "-"));
            }
            Event::Text(text) | Event::Code(text) => {
                if let Some(heading) = &mut heading {
                    heading.push_str(&text);
                }
            }
            _ => {}
        }
    }
    found
}

fn links(text: &str) -> Vec<String> {
    let target = |event| match event {
        Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => Some(dest_url.to_string()),
        _ => None,
    };
    parser(text).filter_map(target).collect()
}

/// What is wrong with a link on a page.
fn fault(page: &Path, link: &str, headings: &mut BTreeMap<PathBuf, BTreeSet<String>>) -> Option<String> {
    let (path, anchor) = link.split_once('#').map_or((link, None), |(path, anchor)| (path, Some(anchor)));
    let target = if path.is_empty() { page.to_owned() } else { page.parent().unwrap().join(path) };
    let Ok(target) = target.canonicalize() else { return Some("no such file".to_owned()) };
    if !target.starts_with(top()) {
        return Some("it leads out of the source tree".to_owned());
    }
    let anchor = anchor?;
    let known = headings.entry(target).or_insert_with_key(|path| anchors(&fs::read_to_string(path).unwrap()));
    (!known.contains(anchor)).then(|| format!("no such heading; there are {known:?}"))
}

#[test]
fn every_link_leads_to_a_file_and_a_heading() {
    let (mut wrong, mut count, mut headings) = (Vec::new(), 0, BTreeMap::new());
    for page in pages() {
        let links = links(&fs::read_to_string(&page).unwrap());
        for link in links.iter().filter(|link| !link.contains("://")) {
            count += 1;
            if let Some(fault) = fault(&page, link, &mut headings) {
                wrong.push(format!("{}: {link}: {fault}", name(&page)));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count > 50, "{count}");
}

#[test]
fn every_page_can_be_reached_from_the_first_one() {
    let mut found = BTreeSet::new();
    let mut open = vec![top().join("README.md")];
    while let Some(page) = open.pop() {
        if found.insert(page.clone()) {
            let text = fs::read_to_string(&page).unwrap();
            let paths = links(&text).into_iter().filter(|link| !link.contains("://"));
            let paths = paths.filter_map(|link| {
                let path = link.split('#').next()?.to_owned();
                path.ends_with(".md").then(|| page.parent().unwrap().join(path).canonicalize().ok())?
            });
            open.extend(paths);
        }
    }
    let lost: Vec<String> =
        pages().iter().filter(|page| !found.contains(*page)).map(|page| name(page)).collect();
    // The book's first page and its table of contents.
    assert_eq!(lost, ["docs/README.md", "docs/SUMMARY.md"]);
}
