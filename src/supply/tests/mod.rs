//! Fetching from a server on this computer: what arrives, and what is said of everything that does not.

mod server;

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use self::server::{Answer, Server};
use super::{Folder, Limits, Mirror, Source, Supply, UnusableFile};
use crate::image::{self, Catalog, Entry};

/// A known image that may be handed out.
const OWN: &[u8] = include_bytes!("../../../firmware/rehearsal/boot.bin");

/// What is fetched.
const IMAGE: &[u8] = b"an image of 28 bytes in size";

fn limits() -> Limits {
    Limits {
        connect: Duration::from_secs(5),
        silence: Duration::from_secs(5),
        whole: Duration::from_secs(10),
        pauses: vec![Duration::from_millis(2), Duration::from_millis(4)],
    }
}

/// Waits only for so long.
fn impatient(wait: Duration) -> Limits {
    Limits { silence: wait, whole: 2 * wait, pauses: vec![], ..limits() }
}

fn source(path: &str) -> Source {
    Source { repository: "owner/name".into(), path: path.into(), size: IMAGE.len(), commit: "c0ffee".into() }
}

/// Fetches the file at each of these paths in turn. Returns what arrived, or why each one did not.
fn fetch(server: &Server, paths: &[&str]) -> Result<Vec<u8>, Vec<String>> {
    fetch_within(limits(), server, paths)
}

fn fetch_within(limits: Limits, server: &Server, paths: &[&str]) -> Result<Vec<u8>, Vec<String>> {
    let supply = Supply::trusting(Mirror::Server(server.address()), limits, &server.certificate());
    let sources: Vec<_> = paths.iter().map(|path| source(path)).collect();
    let mut told = Vec::new();
    let mut tell = |failure: &UnusableFile| {
        let place = failure.place.strip_prefix(&server.address()).unwrap_or(&failure.place);
        told.push(format!("{place}: {}", failure.cause));
    };
    let wanted = |bytes: &[u8]| (bytes == IMAGE).then(|| bytes.to_vec());
    let fetched = supply.fetch_from(&sources, &mut tell, &wanted);
    fetched.map_err(|failures| {
        assert_eq!(failures.len(), told.len(), "each failure is told once");
        told
    })
}

/// What is said of one file that this is the answer to.
fn said(answer: Answer) -> String {
    said_within(limits(), answer)
}

fn said_within(limits: Limits, answer: Answer) -> String {
    let server = Server::new(move |_, _| answer.clone());
    let failures = fetch_within(limits, &server, &["a.bin"]).expect_err("it does not arrive");
    let [failure] = &*failures else { panic!("{failures:?}") };
    failure.strip_prefix("/owner/name/c0ffee/a.bin: ").expect("the address").to_owned()
}

#[test]
fn a_file_arrives_from_its_repository_at_its_commit() {
    let server = Server::new(|path, _| match path {
        "/owner/name/c0ffee/bins/a%20b.bin" => Answer::file(IMAGE),
        _ => Answer::status(404),
    });
    assert_eq!(fetch(&server, &["bins/a b.bin"]).unwrap(), IMAGE);
    assert_eq!(server.requests(), ["/owner/name/c0ffee/bins/a%20b.bin"]);
}

#[test]
fn what_does_not_hold_the_image_is_not_used() {
    assert_eq!(said(Answer::file(b"another one, of 28 bytes too")), "the file does not contain this image");
}

#[test]
fn a_file_is_not_read_beyond_its_known_length() {
    assert_eq!(said(Answer::file(&[1; 29])), "the file is longer than 28 bytes");
    assert_eq!(said(Answer::endless()), "the file is longer than 28 bytes");
}

#[test]
fn a_file_that_ends_early_is_tried_three_times() {
    let server = Server::new(|_, _| Answer::cut(IMAGE, 10));
    let failures = fetch(&server, &["a.bin"]).unwrap_err();
    assert_eq!(failures.len(), 1);
    assert_eq!(server.requests().len(), 3);
    let server = Server::new(|_, tries| if tries < 2 { Answer::cut(IMAGE, 10) } else { Answer::file(IMAGE) });
    assert_eq!(fetch(&server, &["a.bin"]).unwrap(), IMAGE);
}

#[test]
fn a_file_shorter_than_it_should_be_is_named_by_its_length() {
    assert_eq!(said(Answer::file(&IMAGE[..10])), "the file ended after 10 of 28 bytes");
}

#[test]
fn a_server_that_is_silent_or_slow_is_not_waited_for_long() {
    let begun = Instant::now();
    let wait = Duration::from_millis(150);
    assert_eq!(said_within(impatient(wait), Answer::silence()), "the server did not answer in time");
    // A byte now and then is not enough: all of the file has its time.
    assert_eq!(said_within(impatient(wait), Answer::drip()), "the server did not answer in time");
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
}

#[test]
fn after_too_many_requests_or_trouble_in_the_server_it_is_tried_again() {
    for status in [429, 500, 503] {
        let server =
            Server::new(move |_, before| if before < 2 { Answer::status(status) } else { Answer::file(IMAGE) });
        assert_eq!(fetch(&server, &["a.bin"]).unwrap(), IMAGE);
        assert_eq!(server.requests().len(), 3);
        let server = Server::new(move |_, _| Answer::status(status));
        assert_eq!(fetch(&server, &["a.bin"]).unwrap_err().len(), 1);
        assert_eq!(server.requests().len(), 3);
    }
    let server = Server::new(|_, _| Answer::status(404));
    fetch(&server, &["a.bin", "b.bin"]).unwrap_err();
    assert_eq!(server.requests().len(), 2, "what is not there will not be there a moment later");
}

#[test]
fn an_error_of_one_file_leads_to_the_next_at_once() {
    for status in [404, 429, 500, 503] {
        let server = Server::new(move |path, _| match path {
            "/owner/name/c0ffee/a.bin" => Answer::status(status),
            _ => Answer::file(IMAGE),
        });
        assert_eq!(fetch(&server, &["a.bin", "b.bin"]).unwrap(), IMAGE);
        assert_eq!(server.requests(), ["/owner/name/c0ffee/a.bin", "/owner/name/c0ffee/b.bin"]);
    }
    assert_eq!(said(Answer::status(404)), "the server answered with HTTP status 404");
}

#[test]
fn every_file_that_fails_is_named() {
    let server = Server::new(|path, _| Answer::status(if path.ends_with("a.bin") { 429 } else { 500 }));
    let failures = fetch(&server, &["a.bin", "b.bin"]).unwrap_err();
    let expected = [
        "/owner/name/c0ffee/a.bin: the server answered with HTTP status 429",
        "/owner/name/c0ffee/b.bin: the server answered with HTTP status 500",
    ];
    assert_eq!(failures, expected);
}

#[test]
fn a_redirect_is_followed_to_https_only() {
    let server = Server::new(|path, _| match path {
        "/elsewhere" => Answer::file(IMAGE),
        _ => Answer::redirect("/elsewhere"),
    });
    assert_eq!(fetch(&server, &["a.bin"]).unwrap(), IMAGE);
    let plain = Answer::redirect("http://localhost:1/a.bin");
    assert_eq!(said(plain), "the server redirects to an address without https");
    let circle = Server::new(|_, _| Answer::redirect("/again"));
    assert!(fetch(&circle, &["a.bin"]).unwrap_err()[0].contains("too many redirects"));
}

#[test]
fn a_server_with_another_ones_certificate_is_not_trusted() {
    let (server, other) = (Server::new(|_, _| Answer::file(IMAGE)), Server::new(|_, _| Answer::status(404)));
    let supply = Supply::trusting(Mirror::Server(server.address()), limits(), &other.certificate());
    let failures = supply.fetch_from(&[source("a.bin")], &mut |_| (), &|bytes| Some(bytes.to_vec())).unwrap_err();
    let message = failures[0].cause.to_string();
    assert!(message.starts_with("the connection is not secure: "), "{message}");
    assert!(server.requests().is_empty());
}

#[test]
fn if_nobody_listens_the_other_files_of_the_server_are_not_tried() {
    let server = Server::new(|_, _| Answer::status(404));
    let address = server.address();
    drop(server);
    let supply = Supply::new(Mirror::Server(address), limits());
    let sources = [source("a.bin"), source("b.bin")];
    let failures = supply.fetch_from(&sources, &mut |_| (), &|bytes| Some(bytes.to_vec())).unwrap_err();
    let causes: Vec<_> = failures.iter().map(|failure| failure.cause.to_string()).collect();
    assert_eq!(causes, ["no connection to the server"]);
}

/// An image that we may hand out: our own bootloader, and a server that has it with padding behind.
fn own_image() -> (&'static Entry, Server, Source) {
    let is_it = |entry: &&Entry| entry.sha256 == image::sha256(OWN);
    let entry = Catalog::builtin().entries().find(is_it).expect("our own bootloader");
    let padded = [OWN, &[0; 8]].concat();
    let source = Source { size: padded.len(), ..source("own.bin") };
    (entry, Server::new(move |_, _| Answer::file(&padded)), source)
}

#[test]
fn what_was_fetched_is_at_hand() {
    let (entry, server, source) = own_image();
    let home = tempfile::tempdir().unwrap();
    let folder = Folder::new(home.path().join("firmware"));
    let supply = Supply::trusting(Mirror::Server(server.address()), limits(), &server.certificate());
    let wanted = |bytes: &[u8]| image::extract(entry, bytes);
    let fetched = supply.fetch_from(&[source], &mut |failure| panic!("{failure:?}"), &wanted).unwrap();
    let path = folder.put(entry, &fetched).unwrap();
    let shelf = image::find(&[folder.path().into()], &false.into()).unwrap();
    assert_eq!(shelf.file_of(entry), Some(&*path));
    assert_eq!(fs::read(&path).unwrap(), OWN);
}

#[test]
fn several_programs_may_fetch_the_same_at_once() {
    let (entry, server, source) = own_image();
    let home = tempfile::tempdir().unwrap();
    let folder = Folder::new(home.path().join("firmware"));
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let supply = Supply::trusting(Mirror::Server(server.address()), limits(), &server.certificate());
                let wanted = |bytes: &[u8]| image::extract(entry, bytes);
                let fetched = supply.fetch_from(std::slice::from_ref(&source), &mut |_| (), &wanted).unwrap();
                folder.put(entry, &fetched).unwrap();
            });
        }
    });
    let names: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, [Folder::name_of(entry).as_str()]);
}
