//! What every tab is shown: the present state, then what changes.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use serde::Serialize;
use tokio::sync::broadcast;

/// Messages that a tab may lag behind before it has to begin again.
const BACKLOG: usize = 1024;

/// A message for the tabs. Copies share what was told.
#[derive(Debug, Clone)]
pub struct Feed(Arc<Mutex<Told>>);

#[derive(Debug)]
struct Told {
    /// What a new tab is told first: the last message of each key, in the order of their first ones.
    kept: Vec<(String, Arc<str>)>,
    live: broadcast::Sender<Arc<str>>,
    tabs: usize,
    /// Since when there is no tab.
    alone_since: Option<Instant>,
}

impl Default for Feed {
    fn default() -> Self {
        let (kept, live) = (Vec::new(), broadcast::Sender::new(BACKLOG));
        Self(Arc::new(Mutex::new(Told { kept, live, tabs: 0, alone_since: Some(Instant::now()) })))
    }
}

impl Feed {
    fn told(&self) -> MutexGuard<'_, Told> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Shows a message in every tab. New tabs are told it too, unless another with its key has replaced it; a message
    /// without a key is only for the tabs that are open.
    pub fn tell(&self, key: Option<&str>, message: &impl Serialize) {
        let Ok(text) = serde_json::to_string(message) else { return };
        let (text, mut told) = (Arc::<str>::from(text), self.told());
        if let Some(key) = key {
            match told.kept.iter_mut().find(|(other, _)| other == key) {
                Some((_, kept)) => *kept = text.clone(),
                None => told.kept.push((key.to_owned(), text.clone())),
            }
        }
        // Without a tab nobody receives it.
        let _ = told.live.send(text);
    }

    /// New tabs are not told any more what was told with keys that begin like this.
    pub fn forget(&self, beginning: &str) {
        self.told().kept.retain(|(key, _)| !key.starts_with(beginning));
    }

    /// For how long no tab has been open.
    pub fn alone_for(&self) -> Option<Duration> {
        self.told().alone_since.map(|since| since.elapsed())
    }

    /// A tab is open from now on, until the visit is dropped.
    pub(super) fn visit(&self) -> OpenTab {
        let mut told = self.told();
        told.tabs += 1;
        told.alone_since = None;
        let mut earlier: Vec<_> = told.kept.iter().map(|(_, text)| text.clone()).collect();
        earlier.reverse();
        OpenTab { earlier, live: told.live.subscribe(), feed: self.clone() }
    }
}

/// A tab that is open.
#[derive(Debug)]
pub(super) struct OpenTab {
    /// What it was not told yet of what was told before, the oldest last.
    earlier: Vec<Arc<str>>,
    live: broadcast::Receiver<Arc<str>>,
    feed: Feed,
}

impl OpenTab {
    /// The next message; `None` if too many were missed, and the tab has to begin again.
    pub(super) async fn next(&mut self) -> Option<Arc<str>> {
        match self.earlier.pop() {
            Some(text) => Some(text),
            None => self.live.recv().await.ok(),
        }
    }
}

impl Drop for OpenTab {
    fn drop(&mut self) {
        let mut told = self.feed.told();
        told.tabs -= 1;
        if told.tabs == 0 {
            told.alone_since = Some(Instant::now());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn earlier(visit: &OpenTab) -> Vec<&str> {
        visit.earlier.iter().rev().map(|text| &**text).collect()
    }

    #[test]
    fn a_new_tab_is_told_the_last_message_of_each_key() {
        let feed = Feed::default();
        for (key, message) in [(Some("card"), 1), (Some("job/a"), 2), (None, 3), (Some("card"), 4)] {
            feed.tell(key, &message);
        }
        assert_eq!(earlier(&feed.visit()), ["4", "2"]);
        feed.forget("job/");
        assert_eq!(earlier(&feed.visit()), ["4"]);
    }

    #[test]
    fn the_page_is_alone_from_when_the_last_tab_has_gone() {
        let feed = Feed::default();
        assert!(feed.alone_for().is_some());
        let (one, other) = (feed.visit(), feed.visit());
        drop(one);
        assert_eq!(feed.alone_for(), None);
        drop(other);
        assert!(feed.alone_for().is_some());
    }
}
