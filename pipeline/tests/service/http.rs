//! A client that says exactly what it is told, over one connection a request.

use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// How long a client waits at most, so that a test that hangs fails instead.
const PATIENCE: Duration = Duration::from_secs(60);

/// An answer.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Names in lower case.
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&self.body)))
    }

    /// The code of a problem.
    pub(crate) fn code(&self) -> String {
        self.json()["error"]["code"].as_str().unwrap_or("no code").to_owned()
    }
}

/// Sends bytes and reads until the other side closes.
pub(crate) async fn raw(address: std::net::SocketAddr, request: &[u8]) -> std::io::Result<Vec<u8>> {
    let exchange = async {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(request).await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        Ok(answer)
    };
    tokio::time::timeout(PATIENCE, exchange).await.expect("an answer in time")
}

/// One request; the connection is closed behind it.
pub(crate) async fn exchange(
    address: std::net::SocketAddr,
    method: &str,
    path: &str,
    fields: &[(&str, &str)],
    body: &[u8],
) -> std::io::Result<Answer> {
    Ok(parse(&raw_request(address, method, path, fields, body).await?))
}

/// The same, as the bytes that came back.
pub(crate) async fn raw_request(
    address: std::net::SocketAddr,
    method: &str,
    path: &str,
    fields: &[(&str, &str)],
    body: &[u8],
) -> std::io::Result<Vec<u8>> {
    let mut request = format!("{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n");
    for (name, value) in fields {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    if !body.is_empty() || method == "POST" {
        request.push_str(&format!("content-length: {}\r\n", body.len()));
    }
    request.push_str("\r\n");
    let mut bytes = request.into_bytes();
    bytes.extend_from_slice(body);
    raw(address, &bytes).await
}

pub(crate) fn parse(answer: &[u8]) -> Answer {
    try_parse(answer).unwrap_or_else(|| panic!("no whole answer: {:?}", String::from_utf8_lossy(answer)))
}

/// None for an answer that was cut short.
pub(crate) fn try_parse(answer: &[u8]) -> Option<Answer> {
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&answer[..end]);
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|code| code.parse().ok());
    let field =
        |line: &str| line.split_once(':').map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()));
    let answer = Answer {
        status: status.expect("a status"),
        fields: lines.filter_map(field).collect(),
        body: answer[end + 4..].to_vec(),
    };
    let promised = answer.field("content-length").and_then(|length| length.parse::<usize>().ok());
    promised.is_none_or(|length| length == answer.body.len()).then_some(answer)
}

/// Answers that came one after the other over one connection.
pub(crate) fn parse_all(mut bytes: &[u8]) -> Vec<Answer> {
    let mut answers = Vec::new();
    while let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
        let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
        let length = head.split("\r\n").find_map(|line| line.strip_prefix("content-length:"));
        let length: usize = length.and_then(|length| length.trim().parse().ok()).expect("a length");
        let (answer, rest) = bytes.split_at(end + 4 + length);
        answers.push(parse(answer));
        bytes = rest;
    }
    answers
}
