//! How to make a probe usable, for each proven problem and each system. It stands here and nowhere else.

use m365_drv::board::Problem;

/// The systems that differ in this.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum System {
    Linux,
    MacOs,
    Windows,
    Other,
}

impl System {
    /// The one that this program was built for.
    pub(crate) const HERE: Self = if cfg!(target_os = "linux") {
        Self::Linux
    } else if cfg!(target_os = "macos") {
        Self::MacOs
    } else if cfg!(target_os = "windows") {
        Self::Windows
    } else {
        Self::Other
    };
}

/// The udev rule that lets the user open a probe on Linux.
pub(crate) struct UdevRule {
    vid: String,
    pid: String,
}

impl UdevRule {
    /// What root types to load it. The first makes udev read its rules again, the second applies them to the devices that are
    /// already attached.
    pub(crate) const RELOAD: [&str; 2] = ["udevadm control --reload", "udevadm trigger"];

    /// For the probes with these ids, four hexadecimal digits each.
    pub(crate) fn new(vid: &str, pid: &str) -> Self {
        Self { vid: vid.into(), pid: pid.into() }
    }

    /// The file that it belongs into.
    pub(crate) fn file(&self) -> String {
        let Self { vid, pid } = self;
        format!("/etc/udev/rules.d/70-m365-drv-{vid}-{pid}.rules")
    }

    /// Both nodes of a probe, USB and hidraw, carry the ids in a parent's attributes. `uaccess` is for the user at the
    /// computer, the group for a user over ssh; a number below 73 is needed for it to take effect (systemd, 73-seat-late.rules).
    pub(crate) fn line(&self) -> String {
        let Self { vid, pid } = self;
        format!(
            "ATTRS{{idVendor}}==\"{vid}\", ATTRS{{idProduct}}==\"{pid}\", MODE=\"0660\", GROUP=\"plugdev\", \
             TAG+=\"uaccess\""
        )
    }

    /// One command that writes and loads it.
    pub(crate) fn command(&self) -> String {
        let [reload, trigger] = Self::RELOAD;
        format!("echo '{}' | sudo tee {} && sudo {reload} && sudo {trigger}", self.line(), self.file())
    }
}

/// The one command that solves a problem, if there is one.
pub(crate) fn command(problem: &Problem, system: System) -> Option<String> {
    match (problem, system) {
        (Problem::Permission { vid, pid }, System::Linux) => Some(UdevRule::new(vid, pid).command()),
        _ => None,
    }
}

/// What to do, line by line, each as it is typed or read; nothing if nothing is known to help.
pub(crate) fn lines(problem: &Problem, system: System) -> Vec<String> {
    let line = |text: &str| vec![text.to_owned()];
    match (problem, system) {
        (Problem::Permission { vid, pid }, System::Linux) => {
            let rule = UdevRule::new(vid, pid);
            let put = [format!("Put this line into {}:", rule.file()), rule.line(), "Then load it:".into()];
            put.into_iter().chain(UdevRule::RELOAD.map(|command| format!("sudo {command}"))).collect()
        }
        (Problem::Permission { .. }, System::MacOs) => line(
            "macOS needs no rule or driver: another program is using the probe. Close it, or plug the probe in again.",
        ),
        (Problem::Permission { .. } | Problem::Busy { .. }, System::Windows) => {
            line("Close the other program that is using the probe (ST-LINK Utility, STM32CubeProgrammer, an IDE).")
        }
        (Problem::Busy { program: Some(program) }, _) => vec![format!("Close {program}.")],
        (Problem::Busy { program: None }, _) => line("Close the other program that is using the probe."),
        (Problem::Driver, System::Windows) => [
            "Give it Windows' own driver, without any download (ST-Link V2): in Device Manager right-click the probe, then \
             \"Update driver\", \"Browse my computer for drivers\", \"Let me pick from a list\", \"Universal Serial Bus \
             devices\", \"WinUsb Device\".",
            "Other probes: ST's STSW-LINK009 for an ST-Link V2-1 or V3, Zadig (https://zadig.akeo.ie) for any.",
            "Step by step: `m365-drv explain driver`.",
        ]
        .map(str::to_owned)
        .into(),
        (Problem::Firmware { .. }, _) => {
            line("Update it with ST's STSW-LINK007 (https://www.st.com/en/development-tools/stsw-link007.html).")
        }
        (Problem::Twin, _) => line("Unplug the other one."),
        (Problem::Hung, _) => line("Unplug the probe and plug it in again."),
        (Problem::Permission { .. } | Problem::Driver | Problem::Other { .. }, _) => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn permission() -> Problem {
        Problem::Permission { vid: "0483".into(), pid: "3748".into() }
    }

    const RULE: &str =
        r#"ATTRS{idVendor}=="0483", ATTRS{idProduct}=="3748", MODE="0660", GROUP="plugdev", TAG+="uaccess""#;

    #[test]
    fn on_linux_a_permission_is_cured_by_a_rule_and_two_commands() {
        let expected = [
            "Put this line into /etc/udev/rules.d/70-m365-drv-0483-3748.rules:",
            RULE,
            "Then load it:",
            "sudo udevadm control --reload",
            "sudo udevadm trigger",
        ];
        assert_eq!(lines(&permission(), System::Linux), expected);
        let expected = format!(
            "echo '{RULE}' | sudo tee /etc/udev/rules.d/70-m365-drv-0483-3748.rules && sudo udevadm control --reload \
             && sudo udevadm trigger"
        );
        assert_eq!(command(&permission(), System::Linux), Some(expected));
    }

    #[test]
    fn udev_is_spoken_of_on_linux_for_permissions_only() {
        let busy = Problem::Busy { program: Some("openocd".into()) };
        let firmware = Problem::Firmware { found: Some("V2J17".into()), needed: "J26".into() };
        let other = Problem::Other { message: "odd".into() };
        for system in [System::Linux, System::MacOs, System::Windows, System::Other] {
            for problem in [&busy, &Problem::Driver, &firmware, &Problem::Hung, &other] {
                assert!(!lines(problem, system).concat().contains("udev"), "{problem} {system:?}");
                assert_eq!(command(problem, system), None);
            }
            if system != System::Linux {
                assert!(!lines(&permission(), system).concat().contains("udev"), "{system:?}");
                assert_eq!(command(&permission(), system), None);
            }
        }
    }

    #[test]
    fn each_system_has_words_of_its_own() {
        let busy = Problem::Busy { program: Some("openocd (pid 7)".into()) };
        assert_eq!(lines(&busy, System::Linux), ["Close openocd (pid 7)."]);
        assert!(lines(&Problem::Driver, System::Windows)[0].contains("WinUsb Device"));
        assert!(lines(&Problem::Driver, System::Linux).is_empty());
        assert!(lines(&permission(), System::MacOs)[0].starts_with("macOS needs no rule"));
        assert!(lines(&permission(), System::Windows)[0].starts_with("Close the other program"));
        for system in [System::Linux, System::MacOs, System::Windows] {
            assert_eq!(lines(&Problem::Hung, system), ["Unplug the probe and plug it in again."]);
        }
    }
}
