//! The pages: each strategy has one with its file, the index leads to all, and what their commands print is true.

use crate::PAGES;
use nearside_tests::page::{self, Page};
use std::collections::BTreeSet;
use std::fs;

#[test]
fn what_the_pages_print_is_what_the_program_prints() {
    for name in PAGES {
        let path = page::folder().join(format!("{name}.md"));
        let text = fs::read_to_string(&path).unwrap();
        let retold = Page::of(name).retold(&text);
        if std::env::var_os("RECORD").is_some() {
            fs::write(&path, &retold).unwrap();
        }
        let is_recorded = fs::read_to_string(&path).unwrap() == retold;
        assert!(is_recorded, "{name}.md is old: RECORD=1 cargo test --workspace --test strategies\n{retold}");
    }
}

#[test]
fn every_strategy_has_a_page_with_its_file_and_stands_in_the_index() {
    let files = fs::read_dir(page::folder()).unwrap().map(|file| file.unwrap().file_name());
    let found: BTreeSet<String> = files.map(|name| name.into_string().unwrap()).collect();
    let expected = PAGES.iter().flat_map(|name| [format!("{name}.md"), format!("{name}.yaml")]);
    assert_eq!(found, expected.collect());
    let index = fs::read_to_string(page::folder().join("../STRATEGIES.md")).unwrap();
    for name in PAGES {
        assert!(index.contains(&format!("](strategies/{name}.md)")), "{name} is not in the index");
        let text = fs::read_to_string(page::folder().join(format!("{name}.md"))).unwrap();
        for part in [format!("```yaml {name}.yaml\n").as_str(), "```console\n$ nearside check\n", "--down "] {
            assert!(text.contains(part), "{name}.md lacks {part:?}");
        }
        for title in ["When", "The file", "When a region is lost", "What a client sees", "Draining", "Limits"]
        {
            assert!(text.contains(&format!("\n## {title}\n")), "{name}.md lacks {title:?}");
        }
    }
}
