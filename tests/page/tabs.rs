//! What tabs are shown: the present state when they open, then what changes.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::TcpStream,
    time::{Duration, Instant},
};

use serde_json::Value;

use super::{Browser, connect};

/// How long a test waits for an event.
const PATIENCE: Duration = Duration::from_secs(20);

/// An open tab, which is told events.
pub(crate) struct Tab {
    lines: std::io::Lines<BufReader<TcpStream>>,
}

impl Tab {
    pub(crate) fn open(browser: &Browser) -> Self {
        let mut stream = connect(browser.port);
        let request = format!("GET /api/events HTTP/1.1\r\n{}\r\n", browser.headers());
        stream.write_all(request.as_bytes()).expect("a request");
        Self { lines: BufReader::new(stream).lines() }
    }

    /// The next event; `None` if the server has closed the stream, or nothing has come for long.
    fn next(&mut self, began: Instant) -> Option<Value> {
        while began.elapsed() < PATIENCE {
            let line = self.lines.next()?.ok()?;
            if let Some(data) = line.strip_prefix("data: ") {
                return Some(serde_json::from_str(data).expect("JSON"));
            }
        }
        None
    }

    /// The next event of this kind that fits; those before it are skipped.
    pub(crate) fn until(&mut self, event: &str, fits: impl Fn(&Value) -> bool) -> Value {
        let (began, mut last) = (Instant::now(), Value::Null);
        loop {
            let next = self.next(began).unwrap_or_else(|| panic!("no {event} after {last}"));
            if next["event"] == event && fits(&next) {
                return next;
            }
            last = next;
        }
    }

    /// The next card of this name that can be answered.
    pub(crate) fn card(&mut self, name: &str) -> Value {
        self.until("card", |card| card["card"]["name"] == name && card["doing"].is_null())
    }
}
