//! `probes`: the probes found, whether each can be used, and if not the fix.

use m365_drv::{board::ProbeEntry, printable::printable};
use serde::Serialize;

use crate::cli::{
    Context,
    probe_fixes::{self, System},
    screen::{CommandResult, Outcome, Page, Report, Tone, probe_names::place},
};

#[derive(Serialize)]
#[serde(transparent)]
struct ProbeList(Vec<ProbeEntry>);

pub(crate) fn run(context: &Context) -> CommandResult {
    Outcome::new(&ProbeList(context.probes.list()))
}

impl Report for ProbeList {
    fn text(&self, page: &mut Page) {
        list(&self.0, page, System::HERE);
    }
}

fn list(probes: &[ProbeEntry], page: &mut Page, system: System) {
    if probes.is_empty() {
        page.line("no probe found: plug in an ST-Link, J-Link or CMSIS-DAP probe, or try another cable or USB port");
    }
    for (index, probe) in probes.iter().enumerate() {
        if index > 0 {
            page.blank();
        }
        page.heading(format!("#{} {}", probe.index, probe.kind));
        rows(probe, page, system);
    }
}

fn rows(probe: &ProbeEntry, page: &mut Page, system: System) {
    page.row("  usb", place(probe));
    page.row("  serial", probe.serial.as_deref().unwrap_or("none"));
    match &probe.problem {
        _ if probe.usable => page.toned("  usable", "yes", Tone::Good),
        None => page.toned("  usable", "no", Tone::Bad),
        Some(problem) => page.toned("  usable", format!("no: {problem}"), Tone::Bad),
    };
    let cure = probe.problem.as_ref().map_or_else(Vec::new, |problem| probe_fixes::lines(problem, system));
    for line in cure {
        page.line(format!("  {}", printable(&line)));
    }
}

#[cfg(test)]
mod tests {
    use m365_drv::board::Problem;

    use super::*;
    use crate::cli::screen::page::Columns;

    fn probe(index: usize, kind: &str, serial: Option<&str>, problem: Option<Problem>) -> ProbeEntry {
        ProbeEntry {
            index,
            vid: "0483".into(),
            pid: "3748".into(),
            serial: serial.map(Into::into),
            usb: Some(format!("1-{index}")),
            kind: kind.into(),
            usable: problem.is_none(),
            problem,
            has_twin: false,
        }
    }

    fn text(probes: &[ProbeEntry], system: System) -> String {
        let mut page = Page::default();
        list(probes, &mut page, system);
        anstream::adapter::strip_str(&page.render(Columns::of_a_pipe())).to_string()
    }

    #[test]
    fn an_empty_list_says_so() {
        assert_eq!(
            text(&[], System::Linux),
            "no probe found: plug in an ST-Link, J-Link or CMSIS-DAP probe, or try another cable or USB port\n"
        );
    }

    #[test]
    fn each_probe_is_listed_with_its_problem_and_what_solves_it() {
        let permission = Problem::Permission { vid: "0483".into(), pid: "3748".into() };
        let busy = Problem::Busy { program: Some("openocd (pid 7)".into()) };
        let firmware = Problem::Firmware { found: Some("V2J17".into()), needed: "J26".into() };
        let probes = [
            probe(1, "STLink V2", Some("066DFF485550"), None),
            probe(2, "STLink V2", None, Some(permission)),
            probe(3, "J-Link", Some("000123"), Some(busy)),
            probe(4, "STLink V2", Some("?"), Some(firmware)),
            probe(5, "STLink V2", Some("?"), Some(Problem::Hung)),
            probe(6, "J-Link", Some("000123"), Some(Problem::Twin)),
        ];
        let expected = r#"#1 STLink V2
  usb     0483:3748 at usb:1-1
  serial  066DFF485550
  usable  yes

#2 STLink V2
  usb     0483:3748 at usb:1-2
  serial  none
  usable  no: permission denied for probe 0483:3748
  Put this line into /etc/udev/rules.d/70-m365-drv-0483-3748.rules:
  ATTRS{idVendor}=="0483", ATTRS{idProduct}=="3748", MODE="0660", GROUP="plugdev", TAG+="uaccess"
  Then load it:
  sudo udevadm control --reload
  sudo udevadm trigger

#3 J-Link
  usb     0483:3748 at usb:1-3
  serial  000123
  usable  no: openocd (pid 7) is using the probe
  Close openocd (pid 7).

#4 STLink V2
  usb     0483:3748 at usb:1-4
  serial  ?
  usable  no: the probe's firmware is too old: V2J17; it needs J26 or later
  Update it with ST's STSW-LINK007 (https://www.st.com/en/development-tools/stsw-link007.html).

#5 STLink V2
  usb     0483:3748 at usb:1-5
  serial  ?
  usable  no: the probe does not answer
  Unplug the probe and plug it in again.

#6 J-Link
  usb     0483:3748 at usb:1-6
  serial  000123
  usable  no: the probe cannot be told apart from another attached one by its serial number
  Unplug the other one.
"#;
        assert_eq!(text(&probes, System::Linux), expected);
    }

    #[test]
    fn on_windows_a_missing_driver_is_cured_without_a_download() {
        let expected = r#"#1 STLink V2
  usb     0483:3748 at usb:1-1
  serial  none
  usable  no: the probe has no WinUSB driver
  Give it Windows' own driver, without any download (ST-Link V2): in Device Manager right-click the probe, then "Update driver", "Browse my computer for drivers", "Let me pick from a list", "Universal Serial Bus devices", "WinUsb Device".
  Other probes: ST's STSW-LINK009 for an ST-Link V2-1 or V3, Zadig (https://zadig.akeo.ie) for any.
  Step by step: `m365-drv explain driver`.
"#;
        assert_eq!(text(&[probe(1, "STLink V2", None, Some(Problem::Driver))], System::Windows), expected);
    }
}
