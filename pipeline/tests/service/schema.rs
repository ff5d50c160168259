//! Checks values against the schemas of the OpenAPI document: the part of JSON Schema 2020-12 that the document uses. A
//! keyword that is not known here is a failure, never a pass.

use serde_json::{Map, Value};

/// What describes and does not constrain.
const WORDS: [&str; 4] = ["description", "default", "$schema", "components"];

/// A document whose schemas refer to each other.
#[derive(Clone, Copy)]
pub(crate) struct Schemas<'a>(pub(crate) &'a Value);

impl<'a> Schemas<'a> {
    /// What a reference in the document points to.
    pub(crate) fn resolve(self, schema: &'a Value) -> &'a Value {
        match schema["$ref"].as_str() {
            Some(reference) => {
                let pointer = reference.strip_prefix('#').expect("references stay in the document");
                self.0.pointer(pointer).unwrap_or_else(|| panic!("{reference} leads nowhere"))
            }
            None => schema,
        }
    }

    /// All that is wrong with a value, by place.
    pub(crate) fn problems(self, schema: &'a Value, value: &Value) -> Vec<String> {
        let mut problems = Vec::new();
        self.check(schema, value, "", &mut problems);
        problems
    }

    fn check(self, schema: &'a Value, value: &Value, place: &str, problems: &mut Vec<String>) {
        let keywords = schema.as_object().unwrap_or_else(|| panic!("{place}: {schema} is no schema"));
        let mut wrong = |what: String| problems.push(format!("{place}: {what}, found {value}"));
        for (keyword, rule) in keywords {
            match keyword.as_str() {
                "$ref" | "allOf" | "oneOf" | "properties" | "required" | "items" | "prefixItems" => {}
                "additionalProperties" | "unevaluatedProperties" => {}
                "type" if !types(rule).any(|name| is_type(name, value)) => wrong(format!("expected {rule}")),
                "const" if rule != value => wrong(format!("expected {rule}")),
                "enum" if !rule.as_array().is_some_and(|all| all.contains(value)) => {
                    wrong(format!("expected one of {rule}"))
                }
                "pattern"
                    if value.as_str().is_some_and(|text| !fits(rule.as_str().expect("a pattern"), text)) =>
                {
                    wrong(format!("expected {rule}"));
                }
                "minimum" if value.is_number() && value.as_f64() < rule.as_f64() => {
                    wrong(format!("expected at least {rule}"))
                }
                "maximum" if value.as_f64() > rule.as_f64() => wrong(format!("expected at most {rule}")),
                "minLength" | "maxLength" | "minItems" | "maxItems" => {
                    let length =
                        value.as_str().map(|text| text.chars().count()).or(value.as_array().map(Vec::len));
                    let (length, bound) = (length.unwrap_or(0) as u64, rule.as_u64().expect("a length"));
                    let is_wrong = if keyword.starts_with("min") { length < bound } else { length > bound };
                    if is_wrong {
                        wrong(format!("expected {keyword} {bound}"));
                    }
                }
                "type" | "const" | "enum" | "pattern" | "minimum" | "maximum" => {}
                other if WORDS.contains(&other) => {}
                other => panic!("{place}: the keyword {other} is not known to this check"),
            }
        }
        if keywords.contains_key("$ref") {
            self.check(self.resolve(schema), value, place, problems);
        }
        for part in list(keywords, "allOf") {
            self.check(part, value, place, problems);
        }
        let choices = list(keywords, "oneOf");
        if !choices.is_empty() {
            let tried: Vec<_> = choices.iter().map(|choice| self.problems(choice, value)).collect();
            let fitting = tried.iter().filter(|problems| problems.is_empty()).count();
            if fitting != 1 {
                // The choice that came closest says most.
                let closest = tried.into_iter().min_by_key(Vec::len).unwrap_or_default();
                problems.push(format!("{place}: {fitting} of the choices fit, expected one: {closest:?}"));
            }
        }
        match value {
            Value::Object(fields) => self.check_fields(keywords, fields, place, problems),
            Value::Array(values) => {
                let first = list(keywords, "prefixItems");
                for (number, value) in values.iter().enumerate() {
                    if let Some(schema) = first.get(number).copied().or(keywords.get("items")) {
                        self.check(schema, value, &format!("{place}/{number}"), problems);
                    }
                }
            }
            _ => {}
        }
    }

    fn check_fields(
        self,
        keywords: &'a Map<String, Value>,
        fields: &Map<String, Value>,
        place: &str,
        problems: &mut Vec<String>,
    ) {
        for name in list(keywords, "required") {
            let name = name.as_str().expect("a name");
            if !fields.contains_key(name) {
                problems.push(format!("{place}: {name} is missing"));
            }
        }
        let known = keywords.get("properties").and_then(Value::as_object);
        let own = |name: &str| known.and_then(|known| known.get(name));
        for (name, value) in fields {
            let place = format!("{place}/{name}");
            match (own(name), keywords.get("additionalProperties")) {
                (Some(schema), _) => self.check(schema, value, &place, problems),
                (None, Some(Value::Bool(false))) => problems.push(format!("{place}: not described")),
                (None, Some(schema @ Value::Object(_))) => self.check(schema, value, &place, problems),
                _ => {}
            }
            let is_elsewhere = || {
                let parts = list(keywords, "allOf").into_iter().map(|part| self.resolve(part));
                parts.into_iter().any(|part| !part["properties"][name].is_null())
            };
            let is_closed = keywords.get("unevaluatedProperties") == Some(&Value::Bool(false));
            if is_closed && own(name).is_none() && !is_elsewhere() {
                problems.push(format!("{place}: not described"));
            }
        }
    }
}

fn list<'a>(keywords: &'a Map<String, Value>, name: &str) -> Vec<&'a Value> {
    keywords.get(name).and_then(Value::as_array).into_iter().flatten().collect()
}

fn types(rule: &Value) -> impl Iterator<Item = &str> {
    let one = rule.as_str().into_iter();
    one.chain(rule.as_array().into_iter().flatten().filter_map(Value::as_str))
}

fn is_type(name: &str, value: &Value) -> bool {
    match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        other => panic!("the type {other} is not known to this check"),
    }
}

/// The document's patterns, written out: there are few.
fn fits(pattern: &str, text: &str) -> bool {
    let digits = |text: &str, most: usize| {
        (1..=most).contains(&text.len()) && text.bytes().all(|c| c.is_ascii_digit())
    };
    let names = |text: &str, extra: &str| text.chars().all(|c| c.is_ascii_lowercase() || extra.contains(c));
    match pattern {
        "^[0-9]{1,20}$" => digits(text, 20),
        "^-?[0-9]{1,19}$" => digits(text.strip_prefix('-').unwrap_or(text), 19),
        "^[a-z_-]{1,60}$" => (1..=60).contains(&text.len()) && names(text, "_-"),
        "^[a-z-]{3,60}-.+$" => {
            let ends = text.match_indices('-').map(|(end, _)| end).filter(|end| end + 1 < text.len());
            ends.into_iter().any(|end| (3..=60).contains(&end) && names(&text[..end], "-"))
        }
        "^([a-z]{2})?$" => text.is_empty() || text.len() == 2 && names(text, ""),
        other => panic!("the pattern {other} is not known to this check"),
    }
}
