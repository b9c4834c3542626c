//! `docs/CONFIGURATION.md`: every key with its value, default and meaning, and every rule.

use crate::document::Document;
use crate::rule::RULES;
use crate::shape::{Field, Form, Shape};
use serde_yaml::Value;
use std::collections::HashMap;

const HEAD: &str = "\
<!-- Made from the definitions in crates/config. Change those, then: RECORD=1 cargo test -p nearside-config -->
# Configuration

`routes.yaml` says what nearside does: regions, pools of backends, routes, listeners, certificates. Every PoP reads the
same file; what differs per PoP are arguments of `nearside run`. A change is taken without a restart, whole or not at
all: a file that breaks a rule leaves everything as it was, and `nearside check` says all that is wrong with it.

An editor completes and checks the file with `docs/routes.schema.json`; this line on top of the file asks for it:

```yaml
# yaml-language-server: $schema=docs/routes.schema.json
```

Durations are whole numbers with `ms`, `s`, `m`, `h` or `d`; sizes are bytes, or whole numbers with `B`, `KB`, `KiB`, `MB`,
`MiB`, `GB` or `GiB`; shares are percentages with up to two decimals. Paths of files are relative to the folder of
`routes.yaml`. `nearside check --effective` prints a file with every default filled in.
";

/// The page: what `docs/CONFIGURATION.md` holds.
#[must_use]
pub fn page() -> String {
    let mut page = Page { text: HEAD.to_owned(), told: HashMap::new() };
    page.section("", &Document::form());
    page.rules();
    page.text
}

struct Page {
    text: String,
    /// Where each mapping has its table, by what it says: where it is named first.
    told: HashMap<String, String>,
}

impl Page {
    /// The table of each mapping in `form`, which stands at `path`.
    fn section(&mut self, path: &str, form: &Form) {
        match form {
            Form::Scalar(..) => {}
            Form::List(item, _) => self.section(&format!("{path}[]"), item),
            Form::Names(value) => self.section(&format!("{path}.<name>"), value),
            Form::Either(forms) => forms.iter().for_each(|form| self.section(path, form)),
            Form::Fields(fields) => self.table(path, fields),
        }
    }

    fn table(&mut self, path: &str, fields: &[Field]) {
        if self.home(path, fields) != path {
            return;
        }
        let title = if path.is_empty() { "The file".to_owned() } else { format!("`{path}`") };
        self.text
            .push_str(&format!("\n## {title}\n\n| Key | Value | Default | Meaning |\n|---|---|---|---|\n"));
        for field in fields {
            let at = below(path, field.key);
            let value = self.value(&at, &field.form);
            let default =
                field.default.as_ref().map_or("required".to_owned(), |value| default(value, &field.form));
            let doc = field.doc.trim().replace('|', "\\|");
            self.text.push_str(&format!("| `{}` | {value} | {default} | {doc} |\n", field.key));
        }
        for field in fields {
            self.section(&below(path, field.key), &field.form);
        }
    }

    fn home(&mut self, path: &str, fields: &[Field]) -> String {
        self.told.entry(format!("{fields:?}")).or_insert_with(|| path.to_owned()).clone()
    }

    /// The form in words; a mapping is a link to its table.
    fn value(&mut self, path: &str, form: &Form) -> String {
        match form {
            Form::Scalar(what, _) => what.replace('|', "\\|"),
            Form::List(item, _) => format!("list of: {}", self.value(&format!("{path}[]"), item)),
            Form::Names(value) => format!("by name: {}", self.value(&format!("{path}.<name>"), value)),
            Form::Either(forms) => {
                forms.iter().map(|form| self.value(path, form)).collect::<Vec<_>>().join("; or ")
            }
            Form::Fields(fields) => format!("[mapping](#{})", anchor(&self.home(path, fields))),
        }
    }

    fn rules(&mut self) {
        self.text.push_str(
            "\n## Rules\n\nA file that breaks one of these is refused, or taken with a warning. The names are stable: \
             `nearside check --json` gives them.\n\n| Rule | Breaking it | Asks |\n|---|---|---|\n",
        );
        for rule in RULES {
            let about = rule.about.replace('|', "\\|");
            self.text.push_str(&format!("| `{}` | {} | {about} |\n", rule.id, rule.severity));
        }
    }
}

fn below(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// The anchor that GitHub and GitLab give a heading.
fn anchor(path: &str) -> String {
    path.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-')).collect()
}

fn default(value: &Value, form: &Form) -> String {
    match (value, form) {
        (Value::Mapping(map), Form::Fields(_)) if !map.is_empty() => "as there".to_owned(),
        (Value::Null, _) => "none".to_owned(),
        _ => format!("`{}`", flow(value)),
    }
}

/// A value on one line.
fn flow(value: &Value) -> String {
    match value {
        Value::Sequence(items) => {
            format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", "))
        }
        Value::Mapping(map) => {
            let entries = map.iter().filter(|(_, value)| !value.is_null());
            let parts = entries.map(|(key, value)| format!("{}: {}", flow(key), flow(value)));
            let parts: Vec<String> = parts.collect();
            if parts.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", parts.join(", ")) }
        }
        Value::String(text) if text.is_empty() => "\"\"".to_owned(),
        Value::String(text) => text.clone(),
        other => serde_yaml::to_string(other).unwrap_or_default().trim_end().to_owned(),
    }
}
