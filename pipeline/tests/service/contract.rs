//! The OpenAPI document: every route is in it, it names no other, and every answer is as it says.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use maskrank_pipeline::service;
use serde_json::{Value, json};

use crate::harness::Service;
use crate::http::Answer;
use crate::schema::Schemas;

const DOCUMENT: &str = include_str!("../../openapi.yaml");

fn document() -> &'static Value {
    static PARSED: OnceLock<Value> = OnceLock::new();
    PARSED.get_or_init(|| serde_norway::from_str(DOCUMENT).expect("the document is YAML"))
}

fn schemas() -> Schemas<'static> {
    Schemas(document())
}

fn resolve(value: &'static Value) -> &'static Value {
    schemas().resolve(value)
}

fn matches(template: &str, path: &str) -> bool {
    let (mut known, mut given) = (template.split('/'), path.split('/'));
    loop {
        match (known.next(), given.next()) {
            (None, None) => return true,
            (Some(known), Some(given)) if known == given || (known.starts_with('{') && !given.is_empty()) => {
            }
            _ => return false,
        }
    }
}

/// Holds an answer against what the document says of it.
pub(crate) fn check(method: &str, path: &str, answer: &Answer) {
    let path = path.split('?').next().unwrap_or_default();
    let paths = document()["paths"].as_object().expect("paths");
    let template = paths.keys().find(|template| matches(template, path));
    let responses = template.map(|template| &paths[template][method.to_lowercase()]["responses"]);
    // What is no route at all is answered by a problem as well.
    let problem = &document()["components"]["responses"]["problem"];
    let response = match responses.filter(|responses| responses.is_object()) {
        Some(responses) => resolve(responses.get(answer.status.to_string()).unwrap_or(&responses["default"])),
        None => problem,
    };
    assert!(answer.field("x-request-id").is_some(), "{method} {path}: no request id");
    let content = response["content"].as_object().expect("content");
    let kind = answer.field("content-type").unwrap_or_default();
    let fits = |known: &str| match known.strip_suffix('*') {
        Some(start) => kind.starts_with(start),
        None => kind.split(';').next() == Some(known),
    };
    let known = content.keys().find(|known| fits(known));
    let known = known.unwrap_or_else(|| panic!("{method} {path} {}: content-type {kind:?}", answer.status));
    if known != "application/json" {
        return;
    }
    let body = answer.json();
    let errors = schemas().problems(&content[known]["schema"], &body);
    assert!(errors.is_empty(), "{method} {path} {}: {errors:#?}\n{body:#}", answer.status);
    if matches!(answer.status, 429 | 503) {
        let seconds = answer.field("retry-after").and_then(|text| text.parse::<u64>().ok());
        assert!(seconds.is_some_and(|seconds| seconds >= 1), "{method} {path}: {:?}", answer.fields);
    }
}

#[test]
fn the_document_names_the_routes_and_no_others() {
    let mut described = BTreeSet::new();
    for (path, operations) in document()["paths"].as_object().expect("paths") {
        for method in operations.as_object().expect("operations").keys() {
            described.insert((method.clone(), path.clone()));
        }
    }
    let routed: BTreeSet<_> =
        service::routes().into_iter().map(|(method, path)| (method.to_owned(), path.to_owned())).collect();
    assert_eq!(described, routed);
}

#[test]
fn every_reference_leads_somewhere_and_every_schema_is_one() {
    fn visit(value: &'static Value) {
        match value {
            Value::Object(fields) => {
                if fields.contains_key("$ref") {
                    resolve(value);
                }
                fields.values().for_each(visit);
            }
            Value::Array(values) => values.iter().for_each(visit),
            _ => {}
        }
    }
    visit(document());
    for (name, schema) in document()["components"]["schemas"].as_object().expect("schemas") {
        assert!(!schemas().problems(schema, &json!(3.5)).is_empty(), "{name} takes anything");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_answers_by_its_own_method_only() {
    let service = Service::start().await;
    for (method, path) in service::routes() {
        let path = path.replace("{id}", "1").replace("{viewer}", "1");
        let answer = service.ask(method.to_uppercase().as_str(), &path, None, b"").await;
        assert!(!matches!(answer.status, 404 | 405) || answer.code() == "not_found", "{method} {path}");
        let answer = service.ask("PUT", &path, None, b"").await;
        assert_eq!((answer.status, answer.code().as_str()), (405, "method_not_allowed"), "PUT {path}");
    }
    for path in ["/v1", "/v1/timelines", "/v1/timelines/", "/v2/viewer", "/v1/posts/1/2", "//"] {
        let answer = service.ask("GET", path, Some(1), b"").await;
        assert_eq!((answer.status, answer.code().as_str()), (404, "not_found"), "{path}");
    }
}

/// Names in backticks, without the first: the one that was refused.
fn expected_names(answer: &Answer) -> BTreeSet<String> {
    let message = answer.json()["error"]["message"].as_str().expect("a sentence").to_owned();
    message.split('`').skip(3).step_by(2).map(str::to_owned).collect()
}

/// What is refused is told what would have been taken: exactly what the document names, no more and no less.
#[tokio::test(flavor = "multi_thread")]
async fn every_operation_takes_the_parameters_fields_and_words_that_the_document_names() {
    let service = Service::start().await;
    let viewer = service.reader(5);
    let mut walked = 0;
    for (template, operations) in document()["paths"].as_object().expect("paths") {
        for (method, operation) in operations.as_object().expect("operations") {
            let path = template.replace("{id}", "1").replace("{viewer}", "1");
            let method = method.to_uppercase();
            let parameters = operation["parameters"].as_array().map(Vec::as_slice).unwrap_or_default();
            let in_query: Vec<&Value> =
                parameters.iter().map(resolve).filter(|parameter| parameter["in"] == "query").collect();
            if !in_query.is_empty() {
                let named: BTreeSet<String> =
                    in_query.iter().map(|one| one["name"].as_str().expect("a name").to_owned()).collect();
                let answer = service.ask(&method, &format!("{path}?made-up=1"), Some(viewer), b"").await;
                assert_eq!((answer.status, expected_names(&answer)), (400, named), "{method} {path}");
                walked += 1;
            }
            for parameter in in_query {
                let words = resolve(&parameter["schema"])["enum"].as_array();
                let Some(words) = words else { continue };
                let words: BTreeSet<String> =
                    words.iter().map(|word| word.as_str().expect("a word").to_owned()).collect();
                let path = format!("{path}?{}=made-up", parameter["name"].as_str().expect("a name"));
                let answer = service.ask(&method, &path, Some(viewer), b"").await;
                assert_eq!((answer.status, expected_names(&answer)), (400, words), "{method} {path}");
                walked += 1;
            }
            let body = &operation["requestBody"]["content"]["application/json"]["schema"];
            if body.is_null() {
                continue;
            }
            // A body of several forms takes the fields of all of them, as far as their names go.
            let body = resolve(body);
            let forms = body["oneOf"].as_array().map_or(std::slice::from_ref(body), Vec::as_slice);
            let fields: serde_json::Map<String, Value> = forms
                .iter()
                .filter_map(|form| resolve(form)["properties"].as_object())
                .flat_map(|fields| fields.iter().map(|(name, schema)| (name.clone(), schema.clone())))
                .collect();
            let answer = service.send(viewer, &path, json!({"made-up": 1})).await;
            let names: BTreeSet<String> = fields.keys().cloned().collect();
            assert_eq!((answer.status, expected_names(&answer)), (400, names), "{method} {path}");
            for (field, schema) in &fields {
                let Some(words) = schema["enum"].as_array() else { continue };
                let answer = service.send(viewer, &path, json!({field: "made-up"})).await;
                assert_eq!(answer.status, 400, "{method} {path} {field}");
                // Words that are no type of their own are refused in a sentence.
                let taken = expected_names(&answer);
                let words: BTreeSet<String> =
                    words.iter().map(|word| word.as_str().expect("a word").to_owned()).collect();
                assert!(taken.is_empty() || taken == words, "{method} {path} {field}: {taken:?}");
                walked += 1;
            }
            walked += 1;
        }
    }
    assert!(walked >= 18, "{walked}");
}

#[test]
fn the_check_sees_what_is_wrong() {
    let answer = |body: &str| Answer {
        status: 200,
        fields: vec![
            ("content-type".to_owned(), "application/json".to_owned()),
            ("x-request-id".to_owned(), "1".to_owned()),
        ],
        body: body.as_bytes().to_vec(),
    };
    check("POST", "/v1/feedback", &answer(r#"{"recorded": 1}"#));
    for body in [r#"{"recorded": "1"}"#, "{}", r#"{"recorded": 1, "more": 2}"#, r#"{"recorded": -1}"#] {
        let refused = std::panic::catch_unwind(|| check("POST", "/v1/feedback", &answer(body)));
        assert!(refused.is_err(), "{body} passed");
    }
}

#[test]
fn the_golden_timelines_are_as_the_document_says() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/timeline/tests/golden");
    let mut seen = 0;
    for file in std::fs::read_dir(folder).expect("golden timelines") {
        let path = file.expect("a file").path();
        let text = std::fs::read_to_string(&path).expect("text");
        let timeline: Value = serde_json::from_str(&text).expect("JSON");
        let errors = schemas().problems(&document()["components"]["schemas"]["Timeline"], &timeline);
        assert!(errors.is_empty(), "{}: {errors:#?}", path.display());
        seen += 1;
    }
    assert!(seen >= 4, "{seen} golden timelines");
}
