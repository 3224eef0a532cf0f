//! Who may ask for what.

use std::{
    fmt::Write as _,
    sync::{Mutex, PoisonError},
};

use axum::http::{HeaderMap, HeaderName, Method, Uri, header};
use sha2::{Digest as _, Sha256};

/// The header of every request that changes something: a form cannot send it, and a script of another origin may not.
pub(super) const MARK: HeaderName = HeaderName::from_static("x-m365-drv");
const MARKED: &str = "page";

/// Who may ask for what.
#[derive(Debug)]
pub(super) struct Guard {
    port: u16,
    session: Secret,
    /// The addresses that were opened and not used yet.
    tickets: Mutex<Vec<Secret>>,
    /// What another start of this program shows, to get a ticket of its own.
    key: Secret,
}

/// 256 random bits as 64 hex digits.
#[derive(Debug, Clone)]
pub(super) struct Secret(String);

impl Secret {
    fn new() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes)?;
        Ok(Self(hex::encode(bytes)))
    }

    /// Whether this is it. The time that takes tells nothing, because hashes are compared.
    fn is(&self, other: &[u8]) -> bool {
        Sha256::digest(&self.0) == Sha256::digest(other)
    }

    pub(super) fn text(&self) -> &str {
        &self.0
    }
}

/// Why a request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Denial {
    /// It was meant for another host.
    Host,
    /// It comes from a page of another origin.
    Origin,
    /// It lacks the header of this page.
    Mark,
    /// It lacks the cookie.
    Cookie,
}

impl Guard {
    pub(super) fn new(port: u16) -> Result<Self, getrandom::Error> {
        Ok(Self { port, session: Secret::new()?, tickets: Mutex::default(), key: Secret::new()? })
    }

    /// A new secret for an address that is opened; it can be exchanged once.
    pub(super) fn ticket(&self) -> Result<Secret, getrandom::Error> {
        let ticket = Secret::new()?;
        self.tickets.lock().unwrap_or_else(PoisonError::into_inner).push(ticket.clone());
        Ok(ticket)
    }

    /// What another start of this program has to show.
    pub(super) fn key(&self) -> &Secret {
        &self.key
    }

    /// Whether another start of this program asks.
    pub(super) fn knows(&self, key: &[u8]) -> bool {
        self.key.is(key)
    }

    /// The cookie for this ticket, which is used up by that.
    pub(super) fn exchange(&self, ticket: &[u8]) -> Option<String> {
        let mut tickets = self.tickets.lock().unwrap_or_else(PoisonError::into_inner);
        let at = tickets.iter().position(|other| other.is(ticket))?;
        tickets.remove(at);
        let mut cookie = self.cookie();
        let _ = write!(cookie, "={}; HttpOnly; SameSite=Strict; Path=/", self.session.text());
        Some(cookie)
    }

    /// Cookies are for all ports of a host, so each port has one of its own.
    fn cookie(&self) -> String {
        format!("m365-drv-{}", self.port)
    }

    /// Whether the host and the origin are this page's, and a request that changes something is marked.
    pub(super) fn admits(&self, method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<(), Denial> {
        let hosts = [format!("127.0.0.1:{}", self.port), format!("localhost:{}", self.port)];
        let host = only(headers, &header::HOST).filter(|host| hosts.iter().any(|own| own.as_bytes() == *host));
        let host = host.ok_or(Denial::Host)?;
        if uri.authority().is_some_and(|authority| authority.as_str().as_bytes() != host) {
            return Err(Denial::Host);
        }
        let own = [b"http://", host].concat();
        if headers.contains_key(header::ORIGIN) && only(headers, &header::ORIGIN) != Some(&own) {
            return Err(Denial::Origin);
        }
        // The page itself can be reached by a link.
        let is_visit = method == Method::GET && !is_api(uri);
        let site = headers.get("sec-fetch-site").map(axum::http::HeaderValue::as_bytes);
        if !is_visit && site.is_some_and(|site| ![&b"same-origin"[..], b"none"].contains(&site)) {
            return Err(Denial::Origin);
        }
        let is_harmless = [Method::GET, Method::HEAD].contains(method);
        if !is_harmless && only(headers, &MARK) != Some(MARKED.as_bytes()) {
            return Err(Denial::Mark);
        }
        Ok(())
    }

    /// Whether the request has the cookie, if it needs one.
    pub(super) fn recognises(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), Denial> {
        if !is_api(uri) || ["/api/session", "/api/open"].contains(&uri.path()) {
            return Ok(());
        }
        let name = self.cookie();
        let pairs = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        let mut pairs = pairs.flat_map(|pairs| pairs.split(';')).filter_map(|pair| pair.trim().split_once('='));
        let is_known = pairs.any(|(other, value)| other == name && self.session.is(value.as_bytes()));
        if is_known { Ok(()) } else { Err(Denial::Cookie) }
    }
}

/// Whether this is more than a file of the page.
fn is_api(uri: &Uri) -> bool {
    uri.path().starts_with("/api")
}

/// The value of a header that is given once.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a [u8]> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?;
    values.next().is_none().then_some(value.as_bytes())
}
