//! What was told: the document behind `--json`, read back for the text that people get.

use serde_json::Value;

/// The entries of the list under `key`.
pub(crate) fn list<'a>(told: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
    told.get(key).and_then(Value::as_array).into_iter().flatten()
}

/// The text under `key`, or an empty one.
pub(crate) fn text(told: &Value, key: &str) -> String {
    text_or(told, key, "")
}

/// The text under `key`, or a dash: what people are shown where nothing is known.
pub(crate) fn text_or_dash(told: &Value, key: &str) -> String {
    text_or(told, key, "-")
}

/// The texts of the list under `key`.
pub(crate) fn texts<'a>(told: &'a Value, key: &str) -> Vec<&'a str> {
    list(told, key).filter_map(Value::as_str).collect()
}

fn text_or(told: &Value, key: &str, none: &str) -> String {
    told.get(key).and_then(Value::as_str).unwrap_or(none).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_not_told_is_empty_or_a_dash() {
        let told = json!({ "pool": "web", "home": null, "lost": ["fra", 1, "dub"] });
        assert_eq!((text(&told, "pool"), text_or_dash(&told, "pool")), ("web".to_owned(), "web".to_owned()));
        for absent in ["home", "pin", "lost"] {
            assert_eq!((text(&told, absent), text_or_dash(&told, absent)), (String::new(), "-".to_owned()));
        }
        assert_eq!(texts(&told, "lost"), ["fra", "dub"]);
        assert_eq!((list(&told, "lost").count(), list(&told, "pool").count()), (3, 0));
        assert_eq!(texts(&Value::Null, "lost"), [""; 0]);
    }
}
