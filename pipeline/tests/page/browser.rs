//! A browser's window, and what a reader does in it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// How long something may take to show, on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(60);

/// The browser's driver, or why there is none.
pub(crate) fn find_driver() -> Result<PathBuf, String> {
    let named = std::env::var_os("CHROMEDRIVER").map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let candidates =
        named.into_iter().chain(std::env::split_paths(&path).map(|folder| folder.join("chromedriver")));
    let found = candidates.into_iter().find(|path| path.is_file());
    found.ok_or_else(|| "no chromedriver in PATH or CHROMEDRIVER".to_owned())
}

/// A window, driven by the W3C's WebDriver protocol: JSON over HTTP.
pub(crate) struct Window {
    address: SocketAddr,
    /// The path of the session.
    session: String,
    name: String,
}

pub(crate) type Outcome = Result<(), String>;

/// Whether head and body are there.
fn is_whole(answer: &[u8]) -> bool {
    let text = String::from_utf8_lossy(answer);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let lines = head.lines().filter_map(|line| line.split_once(':'));
    let mut lengths = lines.filter(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let length = lengths.next().and_then(|(_, value)| value.trim().parse::<usize>().ok());
    length.is_some_and(|length| body.len() >= length)
}

/// One command, and its value.
async fn command(address: SocketAddr, method: &str, path: &str, body: &Value) -> Result<Value, String> {
    let body = body.to_string();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    let exchange = async {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        // The driver keeps the connection open, whatever it is asked for.
        while !is_whole(&answer) && stream.read_buf(&mut answer).await? > 0 {}
        std::io::Result::Ok(answer)
    };
    let answer = tokio::time::timeout(PATIENCE, exchange).await.map_err(|_| format!("{path}: no answer"))?;
    let answer = answer.map_err(|error| format!("{path}: {error}"))?;
    let text = String::from_utf8_lossy(&answer);
    let (_, body) = text.split_once("\r\n\r\n").ok_or_else(|| format!("{path}: {text}"))?;
    let mut answer: Value = serde_json::from_str(body).map_err(|error| format!("{path}: {error}: {body}"))?;
    let value = answer["value"].take();
    match value["error"].as_str() {
        Some(error) => Err(format!("{path}: {error}: {}", value["message"])),
        None => Ok(value),
    }
}

impl Window {
    pub(crate) async fn open(driver: SocketAddr, name: &str) -> Result<Self, String> {
        let arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--force-color-profile=srgb",
        ];
        let capabilities = json!({"capabilities": {"alwaysMatch": {
            "goog:chromeOptions": {"args": arguments},
            "goog:loggingPrefs": {"browser": "ALL"},
        }}});
        let session = command(driver, "POST", "/session", &capabilities).await?;
        let id = session["sessionId"].as_str().ok_or("no session")?;
        Ok(Self { address: driver, session: format!("/session/{id}"), name: name.to_owned() })
    }

    async fn tell(&self, path: &str, body: Value) -> Result<Value, String> {
        command(self.address, "POST", &format!("{}/{path}", self.session), &body).await
    }

    pub(crate) async fn close(self) {
        // A browser that is gone already is closed.
        _ = command(self.address, "DELETE", &self.session, &json!({})).await;
    }

    /// Width and height, and light or dark.
    pub(crate) async fn look(&self, width: u32, height: u32, scheme: &str) -> Outcome {
        let metrics =
            json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600});
        self.protocol("Emulation.setDeviceMetricsOverride", metrics).await?;
        let features = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.protocol("Emulation.setEmulatedMedia", features).await
    }

    /// A command of Chromium's own protocol.
    async fn protocol(&self, command: &str, parameters: Value) -> Outcome {
        self.tell("goog/cdp/execute", json!({"cmd": command, "params": parameters})).await.map(drop)
    }

    pub(crate) async fn go(&self, url: &str) -> Outcome {
        // A page that differs in its fragment only would not be loaded anew.
        self.tell("url", json!({"url": "about:blank"})).await?;
        self.tell("url", json!({"url": url})).await.map(drop)
    }

    /// What a script returns.
    pub(crate) async fn script(&self, script: &str) -> Result<Value, String> {
        self.tell("execute/sync", json!({"script": script, "args": []})).await
    }

    /// Waits until a script returns true.
    pub(crate) async fn until(&self, what: &str, script: &str) -> Outcome {
        let start = Instant::now();
        loop {
            if self.script(script).await? == json!(true) {
                return Ok(());
            }
            if start.elapsed() > PATIENCE {
                self.picture("stuck").await?;
                return Err(format!("{what}: not within {PATIENCE:?}"));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Fails unless a script returns true.
    pub(crate) async fn holds(&self, what: &str, script: &str) -> Outcome {
        match self.script(script).await? {
            Value::Bool(true) => Ok(()),
            other => {
                self.picture("wrong").await?;
                Err(format!("{what}: {other}"))
            }
        }
    }

    /// Clicks what a selector finds first, as a mouse does: what is covered or out of sight is not clicked.
    pub(crate) async fn click(&self, selector: &str) -> Outcome {
        let element = self.tell("element", json!({"using": "css selector", "value": selector})).await?;
        let id = element.as_object().and_then(|fields| fields.values().next()).and_then(Value::as_str);
        let id = id.ok_or_else(|| format!("{selector}: {element}"))?;
        self.tell(&format!("element/{id}/click"), json!({})).await.map(drop)
    }

    /// Types into what has the focus.
    pub(crate) async fn keys(&self, keys: &str) -> Outcome {
        let press =
            |key: char| [json!({"type": "keyDown", "value": key}), json!({"type": "keyUp", "value": key})];
        let presses: Vec<Value> = keys.chars().flat_map(press).collect();
        let actions = json!({"actions": [{"type": "key", "id": "keyboard", "actions": presses}]});
        self.tell("actions", actions).await.map(drop)
    }

    /// Keeps a picture, when pictures are wanted.
    pub(crate) async fn picture(&self, name: &str) -> Outcome {
        let Some(folder) = std::env::var_os("MASKRANK_SCREENSHOTS") else { return Ok(()) };
        let picture =
            command(self.address, "GET", &format!("{}/screenshot", self.session), &json!({})).await?;
        // As it came: base64 of a PNG file.
        let path = Path::new(&folder).join(format!("{}-{name}.png.base64", self.name));
        let text = picture.as_str().unwrap_or_default();
        std::fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))
    }

    /// Fails when the browser has logged an error, such as a script that was not allowed or that threw.
    pub(crate) async fn has_no_errors(&self) -> Outcome {
        let log = self.tell("se/log", json!({"type": "browser"})).await?;
        let lines = log.as_array().cloned().unwrap_or_default();
        let errors: Vec<_> = lines
            .iter()
            .filter(|line| line["level"] == "SEVERE")
            .map(|line| line["message"].to_string())
            .collect();
        if errors.is_empty() { Ok(()) } else { Err(format!("the browser's log: {errors:#?}")) }
    }
}
