//! Whatever the text: a generation or a report, never a panic; and what loads prints as what loads.

#![expect(clippy::panic, clippy::unwrap_used, reason = "helpers of tests")]

use nearside_config::{check, effective, load, parse};
use proptest::prelude::{Just, Strategy, any, prop, prop_oneof, proptest};

const FULL: &str = include_str!("../../../tests/configs/good/full.yaml");
const SHIPPED: &str = include_str!("../../../routes.yaml");

/// What a hand or a machine gets wrong in a file.
fn slip() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        "[-:,{}\\[\\]#&*!|>'\"%@`? \n\t]{1,4}",
        "[a-z_]{1,12}: ?[0-9a-z.%/]{0,8}\n",
        Just("null".to_owned()),
        Just("true".to_owned()),
        Just("-1".to_owned()),
        Just("99999999999999999999".to_owned()),
        Just("{}".to_owned()),
        Just("[]".to_owned()),
        Just("&a ".to_owned()),
        Just("*a".to_owned()),
        Just("\u{0}".to_owned()),
        Just("\u{feff}ß☃\u{85}".to_owned()),
        any::<String>(),
    ]
}

fn says_something(text: &str) {
    match load(text) {
        Ok((_, source, warnings)) => {
            assert!(warnings.iter().all(|problem| source.position(&problem.path).line <= problem.line));
            let printed = effective(&parse(text).and_then(check).unwrap());
            let again = load(&printed).unwrap_or_else(|report| panic!("{report}\n{printed}"));
            assert_eq!(again.0.backends, load(text).unwrap().0.backends);
        }
        Err(report) => {
            assert!(report.has_errors());
            assert!(report.to_string().contains("error"));
            let lines = u32::try_from(text.split('\n').count()).unwrap();
            assert!(report.problems().iter().all(|problem| problem.line >= 1 && problem.line <= lines + 1));
        }
    }
}

/// Replaces `length` characters at `at`, a share of the text, by `with`.
fn mutated(text: &str, slips: &[(f64, usize, String)]) -> String {
    let mut text: Vec<char> = text.chars().collect();
    for (at, length, with) in slips {
        let share = text.len() as f64 * at;
        let start = (0..text.len()).find(|index| *index as f64 >= share).unwrap_or(text.len());
        let end = (start + length).min(text.len());
        text.splice(start..end, with.chars());
    }
    text.into_iter().collect()
}

proptest! {
    #[test]
    fn arbitrary_text_says_something(text in any::<String>()) {
        says_something(&text);
    }

    #[test]
    fn yaml_like_text_says_something(text in "([ \t]{0,6}[-?]? ?[a-z&*!|>]{0,5}:? ?[\\[{\"'a-z0-9,}\\]]{0,6}\n){0,12}") {
        says_something(&text);
    }

    #[test]
    fn a_mutated_file_says_something(
        full in any::<bool>(),
        slips in prop::collection::vec((0.0..1.0f64, 0usize..20, slip()), 1..4),
    ) {
        says_something(&mutated(if full { FULL } else { SHIPPED }, &slips));
    }
}
