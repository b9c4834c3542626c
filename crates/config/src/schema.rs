//! The JSON Schema of the file, from which editors complete and check it.

use crate::document::Document;
use crate::shape::{Field, Form, Shape};
use serde_json::{Map, Value, json};

/// The schema as text: what `docs/routes.schema.json` holds.
#[must_use]
pub fn schema() -> String {
    let mut root = of(&Document::form());
    if let Some(fields) = root.as_object_mut() {
        fields.insert("$schema".to_owned(), "http://json-schema.org/draft-07/schema#".into());
        fields.insert("title".to_owned(), "routes.yaml of nearside".into());
    }
    format!("{root:#}\n")
}

fn of(form: &Form) -> Value {
    match form {
        Form::Scalar(_, json) => json.clone(),
        Form::List(item, true) => json!({ "type": "array", "items": of(item), "minItems": 1 }),
        Form::List(item, false) => json!({ "type": "array", "items": of(item) }),
        Form::Names(value) => json!({ "type": ["object", "null"], "additionalProperties": of(value) }),
        Form::Either(forms) => json!({ "anyOf": forms.iter().map(of).collect::<Vec<_>>() }),
        Form::Fields(fields) => of_fields(fields),
    }
}

fn of_fields(fields: &[Field]) -> Value {
    let property = |field: &Field| {
        let mut schema = of(&field.form);
        if let Some(object) = schema.as_object_mut() {
            object.insert("description".to_owned(), field.doc.trim().into());
            if let Some(default) =
                field.default.as_ref().and_then(|default| serde_json::to_value(default).ok())
            {
                object.insert("default".to_owned(), default);
            }
        }
        (field.key.to_owned(), schema)
    };
    let required: Vec<&str> =
        fields.iter().filter(|field| field.default.is_none()).map(|field| field.key).collect();
    let properties: Map<String, Value> = fields.iter().map(property).collect();
    if required.is_empty() {
        return json!({ "type": ["object", "null"], "additionalProperties": false, "properties": properties });
    }
    json!({ "type": "object", "additionalProperties": false, "required": required, "properties": properties })
}
