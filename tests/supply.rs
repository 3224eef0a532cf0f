//! Fetching, keeping and listing known images. What a server may answer is tested in `src/supply/tests`.

#[path = "../src/supply/tests/server.rs"]
#[expect(dead_code, reason = "the tests of the library use the rest")]
mod server;

use std::{
    collections::BTreeSet,
    fs,
    io::{self, BufRead as _, BufReader, Write as _},
    net::{TcpListener, TcpStream},
    process::{Command, Stdio},
    sync::mpsc,
    thread,
};

use m365_drv::image;

use self::server::{Answer, Server};
use crate::bench::{Bench, Lines};

const OFFER: &str = "\
Xiaomi bootloader: 3,104 bytes from github.com, boot.bin in CamiAlfa/M365_DRV_STLINK
  sha256 7f5574cb1233653db95e8cc4baf2b99f446ffb973e01651cde190f013262016a
This file is the vendor's firmware, and no licence comes with it. It is saved in \"[..]firmware\".
";

#[test]
fn nothing_is_fetched_without_an_answer() {
    let bench = Bench::new();
    bench
        .m365("firmware get pro boot")
        .exit(3)
        .stderr(&format!(
            "{OFFER}error: fetching firmware needs --yes, or your answer at a terminal
next: m365-drv firmware get pro boot --yes
exit 3: see `m365-drv explain consent`
"
        ))
        .check();
    assert!(!bench.path("home").exists());
}

#[test]
fn offline_nothing_is_fetched() {
    let bench = Bench::new();
    let error = "error: cannot fetch firmware: --offline is given
next: m365-drv firmware list pro
exit 8: see `m365-drv explain image`
";
    bench.m365("firmware get pro boot --offline --yes").exit(8).stderr(error).check();
    let lines = bench.m365("flash pro --fetch --offline --simulate=B:locked").exit(8).json();
    assert_eq!(lines.message(), "cannot fetch firmware: --offline is given");
    assert_eq!((lines.result()["board"].as_str(), lines.events("probe").count()), (Some("untouched"), 0));
}

#[test]
fn a_mirror_is_a_folder_or_has_https() {
    for (mirror, message) in [
        ("http://mirror.example", r#"--mirror: the address "http://mirror.example" does not begin with https://"#),
        ("nowhere", r#"--mirror: "nowhere" is not a folder"#),
    ] {
        let bench = Bench::new();
        let lines = bench.m365(&format!("firmware get pro boot --yes --mirror {mirror}")).exit(2).json();
        assert_eq!(lines.message(), message);
    }
    let named = Bench::new();
    let lines = named.m365("firmware get pro boot --yes").env("M365_DRV_MIRROR", "nowhere").exit(2).json();
    assert_eq!(lines.message(), r#"environment variable M365_DRV_MIRROR: "nowhere" is not a folder"#);
}

#[test]
fn each_file_that_a_mirror_lacks_or_holds_wrongly_is_named() {
    let bench = Bench::new();
    let clone = bench.path("mirror/M365_DRV_STLINK");
    fs::create_dir_all(&clone).unwrap();
    fs::write(clone.join("boot.bin"), vec![0; 3104]).unwrap();
    bench
        .m365("firmware get pro boot --yes --mirror mirror")
        .exit(8)
        .stderr(
            "\
fetching Xiaomi bootloader from \"[..]mirror\"
warning: \"[..]M365_DRV_STLINK[..]boot.bin\": the file does not contain this image
warning: \"[..]scooterflasher[..]mi_DRV.bin\": there is no such file
error: Xiaomi bootloader could not be fetched
  cause: there is no such file
next: download the file with a browser, then m365-drv firmware add FILE
exit 8: see `m365-drv explain image`
",
        )
        .check();
    assert!(!bench.path("home").exists());
}

#[test]
fn a_server_that_nobody_reaches_is_exit_8_and_the_board_is_not_touched() {
    let bench = Bench::new();
    // Port 1 of this computer: nobody listens.
    let line = "flash pro --fetch --mirror https://127.0.0.1:1 --simulate=B:locked --erase-all";
    let lines = bench.m365(line).env("NO_PROXY", "*").exit(8).json();
    assert_eq!(lines.message(), "Xiaomi bootloader could not be fetched");
    let cause = lines.result()["error"]["causes"][0].as_str().unwrap();
    assert_eq!(cause, "no connection to the server");
    assert_eq!((lines.result()["board"].as_str(), lines.events("probe").count()), (Some("untouched"), 0));
}

/// A server on this computer with a certificate of its own, as a mirror.
fn from_server(bench: &Bench, server: &Server, line: &str) -> Lines {
    let certificate = base64(&server.certificate());
    bench.write("ca.pem", format!("-----BEGIN CERTIFICATE-----\n{certificate}-----END CERTIFICATE-----\n"));
    let trial = bench.m365(&format!("{line} --mirror {}", server.address()));
    trial.env("SSL_CERT_FILE", "ca.pem").env("NO_PROXY", "*").exit(8).json()
}

/// What is between the first and the last line of a PEM file.
fn base64(bytes: &[u8]) -> String {
    let digit =
        |bits: u32| char::from(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"[bits as usize & 63]);
    let mut text = String::new();
    for (line, three) in bytes.chunks(3).enumerate() {
        let bits = three.iter().fold(0, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - three.len()));
        let four = [18, 12, 6, 0].map(|shift| digit(bits >> shift));
        text.extend(&four[..=three.len()]);
        text.push_str(&"=="[..3 - three.len()]);
        if line % 16 == 15 {
            text.push('\n');
        }
    }
    text.trim_end().to_owned() + "\n"
}

#[test]
fn each_wrong_answer_of_a_server_is_named_and_nothing_is_kept() {
    for (answer, cause) in [
        (Answer::file(&[0x55; 3104]), "the file does not contain this image"),
        (Answer::file(&[0x55; 3105]), "the file is longer than 3,104 bytes"),
        (Answer::endless(), "the file is longer than 3,104 bytes"),
        (Answer::status(404), "the server answered with HTTP status 404"),
        (Answer::redirect("http://localhost:1/boot.bin"), "the server redirects to an address without https"),
    ] {
        let server = Server::new(move |_, _| answer.clone());
        let bench = Bench::new();
        let lines = from_server(&bench, &server, "firmware get pro boot --yes");
        let error = &lines.result()["error"];
        assert_eq!(lines.message(), "Xiaomi bootloader could not be fetched");
        assert_eq!(error["causes"].as_array().unwrap(), &[cause]);
        assert_eq!(error["hint"], "download the file with a browser, then m365-drv firmware add FILE");
        let warnings: Vec<_> = lines.events("warning").map(|warning| warning["message"].as_str().unwrap()).collect();
        let place = |path: &str| format!("{}/{path}: {cause}", server.address());
        let boot = "CamiAlfa/M365_DRV_STLINK/b4e03683d5f9fe6981a615855e2e3d34c36ab844/boot.bin";
        let other =
            "scooterteam/scooterflasher/55115ff813d2b297627e7a69c516aee9fd4990c6/binaries/bootloader/mi_DRV.bin";
        assert_eq!(warnings, [place(boot), place(other)]);
        assert!(!bench.path("home").exists());
    }
}

#[test]
fn a_server_that_nobody_vouches_for_is_asked_for_nothing() {
    let server = Server::new(|_, _| Answer::status(404));
    let bench = Bench::new();
    let trial = bench.m365(&format!("firmware get pro boot --yes --mirror {}", server.address()));
    let lines = trial.env("NO_PROXY", "*").exit(8).json();
    let cause = lines.result()["error"]["causes"][0].as_str().unwrap();
    assert!(cause.starts_with("the connection is not secure: invalid peer certificate"), "{cause}");
    let trial = bench.m365(&format!("firmware get pro boot --yes --mirror {}", server.address()));
    let lines = trial.env("SSL_CERT_FILE", "nowhere.pem").exit(8).json();
    let cause = lines.result()["error"]["causes"][0].as_str().unwrap();
    assert!(cause.starts_with("the certificates in SSL_CERT_FILE cannot be read: "), "{cause}");
    assert_eq!((server.requests().len(), bench.path("home").exists()), (0, false));
}

/// A proxy that connects only if it is told to. Returns its address and what it was asked.
fn proxy(connects: bool) -> (String, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        for client in listener.incoming() {
            let mut client = client.unwrap();
            let mut reader = BufReader::new(client.try_clone().unwrap());
            let (mut first, mut line) = (String::new(), "begun".to_owned());
            reader.read_line(&mut first).unwrap();
            while !line.trim().is_empty() {
                line.clear();
                reader.read_line(&mut line).unwrap();
            }
            let target = first.split(' ').nth(1).unwrap_or_default().to_owned();
            let _ = tell.send(first);
            if !connects {
                let _ = client.write_all(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
                continue;
            }
            let mut server = TcpStream::connect(target).unwrap();
            client.write_all(b"HTTP/1.1 200 Connected\r\n\r\n").unwrap();
            let (mut to_client, mut from_server) = (client, server.try_clone().unwrap());
            thread::spawn(move || io::copy(&mut from_server, &mut to_client));
            thread::spawn(move || io::copy(&mut reader, &mut server));
        }
    });
    (address, told)
}

#[test]
fn the_proxy_of_the_environment_is_used() {
    let server = Server::new(|_, _| Answer::status(404));
    let bench = Bench::new();
    bench.write(
        "ca.pem",
        format!("-----BEGIN CERTIFICATE-----\n{}-----END CERTIFICATE-----\n", base64(&server.certificate())),
    );
    let get = |proxy: &str| {
        let trial = bench.m365(&format!("firmware get pro boot --yes --mirror {}", server.address()));
        trial.env("SSL_CERT_FILE", "ca.pem").env("HTTPS_PROXY", proxy).exit(8).json()
    };
    let connect = format!("CONNECT {} HTTP/1.1\r\n", server.address().trim_start_matches("https://"));
    let (address, asked) = proxy(true);
    let lines = get(&address);
    assert_eq!(lines.result()["error"]["causes"][0], "the server answered with HTTP status 404");
    assert_eq!((asked.recv().unwrap(), server.requests().len()), (connect.clone(), 2));
    let (address, asked) = proxy(false);
    let lines = get(&address);
    let cause = lines.result()["error"]["causes"][0].as_str().unwrap();
    assert!(cause.starts_with("the proxy does not connect to the server: "), "{cause}");
    assert_eq!((asked.recv().unwrap(), server.requests().len()), (connect, 2));
}

#[test]
fn a_script_that_did_not_ask_for_it_fetches_nothing() {
    let server = Server::new(|_, _| Answer::status(404));
    for line in ["firmware get pro", "firmware get pro --no-input"] {
        let bench = Bench::new();
        let lines = bench.m365(&format!("{line} --mirror {}", server.address())).exit(3).json();
        assert_eq!(lines.message(), "fetching firmware needs --yes, or your answer at a terminal");
    }
    let bench = Bench::new();
    let line = "--simulate=B:locked flash pro --erase-all --mirror";
    bench.m365(&format!("{line} {}", server.address())).json();
    bench.m365("firmware list pro").json();
    assert!(server.requests().is_empty());
}

/// What a person sees who types this at a terminal, which `script` makes; `None` if the system does not have it.
#[cfg(target_os = "linux")]
fn at_terminal(bench: &Bench, line: &str, typed: &str) -> Option<String> {
    let command = bench.m365("").command();
    let line = format!("{} {line}", command.get_program().to_str().unwrap());
    let mut script = Command::new("script");
    script.args(["-qec", &line, "/dev/null"]).current_dir(bench.path(".")).env("TERM", "dumb");
    script.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let mut script = script.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().ok()?;
    script.stdin.take().unwrap().write_all(typed.as_bytes()).unwrap();
    Some(String::from_utf8_lossy(&script.wait_with_output().unwrap().stdout).replace('\r', ""))
}

#[test]
#[cfg(target_os = "linux")]
fn at_a_terminal_it_is_asked_first_and_return_agrees() {
    let bench = Bench::new();
    fs::create_dir(bench.path("mirror")).unwrap();
    let get = |typed| at_terminal(&bench, "firmware get pro boot --mirror mirror", typed);
    let (Some(agreed), Some(refused)) = (get("\n"), get("n\n")) else { return };
    for told in [&agreed, &refused] {
        assert!(
            told.contains("Xiaomi bootloader: 3,104 bytes from ") && told.contains("no licence comes with it"),
            "{told}"
        );
        assert!(told.contains("sha256 7f5574cb1233653db95e8cc4baf2b99f446ffb973e01651cde190f013262016a"), "{told}");
        assert!(told.contains("Fetch it? [Y/n]"), "{told}");
    }
    assert!(
        agreed.contains("fetching ") && agreed.contains("error: Xiaomi bootloader could not be fetched"),
        "{agreed}"
    );
    assert!(refused.contains("error: nothing was fetched") && !refused.contains("fetching "), "{refused}");
    // `flash` asks before it looks for a probe, and continues without if that is the answer.
    let flash = "flash pro --probe usb:99-99 --mirror mirror";
    let told = at_terminal(&bench, flash, "n\n").unwrap();
    let asked = told.find("Fetch what is missing? [Y/n]").unwrap_or_else(|| panic!("{told}"));
    let looked = told.find("\nboard: unchanged").unwrap_or_else(|| panic!("{told}"));
    assert!(asked < looked, "{told}");
}

#[test]
fn what_cannot_be_fetched_is_told_with_the_address_of_who_makes_it() {
    let bench = Bench::new();
    let page = bench.m365("explain 21").print();
    for words in ["https://mi.cfw.sh", "\"Disable BMS", "https://github.com/scooterhacking/ninebot-esx-patcher"] {
        assert!(page.contains(words), "{page}");
    }
    for topic in ["image", "5"] {
        let page = bench.m365(&format!("explain {topic}")).print();
        assert!(page.contains("m365-drv firmware get SCOOTER"), "{page}");
    }
}

#[test]
fn what_is_published_cut_short_is_listed_and_not_fetched() {
    let bench = Bench::new();
    let lines = bench.m365("firmware get pro 1.6.0 --yes").exit(8).json();
    let error = "Pro DRV 1.6.0 cannot be fetched: the only known file lacks its last 36 bytes";
    assert_eq!(lines.message(), error);
    // Nobody is asked about a file that cannot be had.
    assert_eq!(bench.m365("firmware get pro 1.6.0").exit(8).json().message(), error);
    let list = bench.m365("firmware list pro").json();
    let images = list.report()[0]["images"].as_array().unwrap();
    let cut = images.iter().find(|image| image["name"] == "Pro DRV 1.6.0").unwrap();
    assert_eq!((cut["missing"].as_u64(), cut["repositories"].as_array().map(Vec::len)), (Some(36), Some(0)));
}

#[test]
fn a_scooter_in_the_place_of_the_folder_is_not_taken_for_one() {
    let bench = Bench::new();
    let lines = bench.m365("firmware export pro").exit(2).json();
    let message = "\"pro\" is a scooter: the folder comes first, as in `firmware export FOLDER pro`";
    assert_eq!(lines.message(), message);
    assert!(bench.files().is_empty());
}

#[test]
fn a_version_that_nobody_knows_is_refused() {
    let bench = Bench::new();
    let lines = bench.m365("firmware get pro 9.9.9 --yes").exit(8).json();
    assert_eq!(lines.message(), "no firmware 9.9.9 is known for a Xiaomi M365 Pro");
    let lines = bench.m365("firmware get m365 1.4.0 --chip gd32e103 --yes").exit(8).json();
    assert_eq!(lines.message(), "no firmware 1.4.0 is known for a Xiaomi M365 (classic) with a gd32e103");
}

#[test]
fn the_list_says_which_image_to_take_for_which_chip() {
    let list = Bench::new().m365("firmware list pro2").json();
    let images = list.report()[0]["images"].as_array().unwrap();
    let advice = |name: &str| {
        let image = images.iter().find(|image| image["name"] == name).unwrap();
        let chips = image["recommended"].as_array().unwrap().iter().map(|advice| advice["chip"].as_str().unwrap());
        chips.collect::<Vec<_>>()
    };
    assert_eq!(advice("Pro 2 DRV 2.4.7"), ["stm32f103", "gd32f103"]);
    assert_eq!(advice("Pro 2 DRV 2.5.2"), ["gd32e103"]);
    assert_eq!(advice("Pro 2 DRV 2.3.6"), Vec::<&str>::new());
    let narrow = Bench::new().m365("firmware list pro2 --chip gd32e103").json();
    let names = narrow.report()[0]["images"].as_array().unwrap().iter().map(|image| image["name"].as_str().unwrap());
    assert!(names.clone().count() > 2 && names.clone().all(|name| name != "Xiaomi bootloader"));
    let text = Bench::new().m365("firmware list pro --chip gd32f103").print();
    assert!(text.contains("no DRV firmware is known for a gd32f103\n"), "{text}");
}

#[test]
fn what_is_not_known_is_not_taken_into_the_folder() {
    let bench = Bench::new();
    bench.write("a.bin", [0x12; 4000]);
    let lines = bench.m365("firmware add a.bin").exit(8).json();
    assert_eq!(lines.message(), r#"no known firmware in "a.bin""#);
    let lines = bench.m365("firmware export out").exit(8).json();
    assert_eq!(lines.message(), "no firmware is at hand");
    assert!(!bench.path("home").exists() && !bench.path("out").exists());
}

/// With `M365_DRV_MIRROR` set to a folder with clones of the public repositories: every image that can be had arrives, and a
/// rehearsal goes from an empty folder to a verified board.
#[test]
#[ignore = "needs M365_DRV_MIRROR, a folder with clones of the public repositories"]
fn every_known_image_arrives_from_a_mirror() {
    let mirror = std::env::var("M365_DRV_MIRROR").expect("M365_DRV_MIRROR");
    let bench = Bench::new();
    let list = bench.m365("firmware list").json();
    let mut rows = BTreeSet::new();
    for scooter in list.report().as_array().unwrap() {
        for image in scooter["images"].as_array().unwrap() {
            let (name, scooter) = (image["name"].as_str().unwrap(), scooter["scooter"].as_str().unwrap());
            let repositories = image["repositories"].as_array().unwrap();
            if repositories.is_empty() {
                rows.insert(format!("{name}: not to be had"));
                continue;
            }
            let kept = bench.m365("firmware get --yes").args([scooter, name, "--mirror", &mirror]).json();
            let kept = kept.report()["images"].as_array().unwrap().clone();
            let file = kept.iter().find(|kept| kept["sha256"] == image["sha256"]).map(|kept| kept["file"].as_str());
            let file = file.flatten().unwrap_or_else(|| panic!("{name}: {kept:#?}"));
            assert_eq!(image["sha256"], image::sha256(&fs::read(file).unwrap()).to_string());
            rows.insert(format!("{name}: {} bytes from {}", image["size"], repositories[0].as_str().unwrap()));
        }
    }
    let get = format!("firmware export copy --firmware {mirror}");
    let written = bench.m365(&get).json().report()["files"].as_array().unwrap().len();
    assert_eq!(bench.m365(&get).json().report()["files"].as_array().unwrap().len(), written, "again");
    println!("{}", rows.into_iter().collect::<Vec<_>>().join("\n"));
    for (scooter, scenario, drv) in [
        ("pro", "locked", "Pro DRV 1.7.1"),
        ("pro2", "locked", "Pro 2 DRV 2.4.7"),
        ("pro2", "gd32e103", "Pro 2 DRV 2.5.2"),
        ("es2", "locked", "Ninebot ES DRV 1.6.4"),
    ] {
        let line = format!("--simulate=B:{scenario} flash {scooter} --fetch --erase-all --mirror {mirror}");
        let lines = Bench::new().m365(&line).json();
        assert_eq!(
            (lines.report()["verified"].as_bool(), lines.report()["drv"]["name"].as_str()),
            (Some(true), Some(drv))
        );
    }
}

/// No other command opens a connection: in a network namespace of its own, where nothing is connected and even the way to
/// this computer is down, all of them work as ever.
#[test]
#[cfg(target_os = "linux")]
fn without_any_network_everything_else_works() {
    let isolated = |args: &[&str]| Command::new("unshare").args(["-r", "-n"]).args(args).output();
    if !isolated(&["true"]).is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: this system allows no network namespaces");
        return;
    }
    let bench = Bench::new();
    for line in [
        "--simulate=B:locked flash pro --erase-all",
        "--simulate=B info",
        "--simulate=B verify pro",
        "--simulate=B backup b.json",
        "backups list",
        "firmware list pro",
        "scooters",
        "explain 21",
        "probes",
    ] {
        let command = bench.m365(line).command();
        let program = command.get_program().to_str().unwrap().to_owned();
        let args = command.get_args().map(|arg| arg.to_str().unwrap().to_owned());
        let all: Vec<_> = std::iter::once(program).chain(args).collect();
        let mut alone = Command::new("unshare");
        alone.args(["-r", "-n"]).args(&all).current_dir(bench.path("."));
        alone.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let output = alone.output().unwrap();
        let found = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success() || line == "probes", "{line}: {found}");
    }
}
