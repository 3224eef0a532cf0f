//! The gates that hold an update package to its own word.

use super::{
    super::{Catalog, FirmwareType, Model},
    Case, GateResult, fail, pass,
};

pub(super) fn firmware_type(case: &Case) -> GateResult {
    let firmware = case.image.package.as_ref()?.firmware;
    if firmware == FirmwareType::Drv { pass(firmware.to_string()) } else { fail(firmware.to_string()) }
}

pub(super) fn members(case: &Case) -> GateResult {
    let faults = &case.image.package.as_ref()?.member_faults;
    if faults.is_empty() { pass("the files in the package match") } else { fail(faults.join(", ")) }
}

pub(super) fn md5(case: &Case) -> GateResult {
    let faults = &case.image.package.as_ref()?.md5_faults;
    if faults.is_empty() { pass("all MD5s match") } else { fail(faults.join(", ")) }
}

pub(super) fn model(case: &Case) -> GateResult {
    let package = case.image.package.as_ref()?;
    let wanted = case.fit.scooter;
    let ask = |model: &Model| {
        let name = model.name();
        if model.scooters().contains(&wanted) {
            Ok(format!("made for {name}"))
        } else if matches!(model, Model::Suggested(_)) {
            Ok(format!("made for {name}, others allowed"))
        } else {
            Err(format!("made for {name} only, not for {wanted}"))
        }
    };
    let mut models = package.model.iter().chain(&package.second_model).map(ask);
    let Some(first) = models.next() else { return pass("the package does not name a scooter") };
    Some(first.and_then(|first| models.next().unwrap_or(Ok(first.clone())).and(Ok(first))))
}

/// The list names controllers as `mi_DRV_GD32E103CxT6`: maker or model, board, chip.
pub(super) fn compatible(case: &Case) -> GateResult {
    let package = case.image.package.as_ref()?;
    if package.compatible.is_empty() {
        // An info.txt knows no chips; the gate `gd32` looks at the code itself.
        return None;
    }
    let board = Catalog::builtin().board(case.fit.scooter)?;
    let fits = |controller: &String| {
        let mut parts = controller.splitn(3, '_');
        parts.next() == Some(board)
            && parts.next() == Some("DRV")
            && parts
                .next()
                .is_some_and(|found| case.fit.chip.is_none_or(|chip| found.to_ascii_lowercase().starts_with(chip)))
    };
    let list = package.compatible.join(", ");
    match (package.compatible.iter().any(fits), case.fit.chip) {
        (true, _) => pass(format!("compatible with {list}")),
        (false, Some(chip)) => {
            fail(format!("compatible with {list} only, not with a {chip} of a {}", case.fit.scooter))
        }
        (false, None) => fail(format!("compatible with {list} only, not with a {}", case.fit.scooter)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Fit, gates};
    use crate::{
        image::{
            Image, Kind, cipher, md5,
            package::sample::{ZipMember, zip},
            sample::Sample,
        },
        target::Target,
    };

    const GD32E103: &str = r#"["mi_DRV_STM32F103CxT6", "mi_DRV_GD32E103CxT6"]"#;

    fn drv() -> Vec<u8> {
        Sample::drv(27_000).code(&hex::decode("3343424833434241").unwrap()).bytes()
    }

    fn v3(model: &str, enforce: &str, firmware: &str, compatible: &str) -> Vec<u8> {
        let drv = drv();
        let info = format!(
            r#"{{"schemaVersion": 1, "firmware": {{"displayName": "x", "model": "{model}", "enforceModel": {enforce},
            "type": "{firmware}", "compatible": {compatible}, "encryption": "plain", "md5": {{"bin": "{}"}}}}}}"#,
            md5(&drv)
        );
        zip(&[ZipMember::new("FIRM.bin", &drv), ZipMember::new("info.json", info.as_bytes())])
    }

    fn v2(device: &str, md5: &str, encrypted: &[u8]) -> Vec<u8> {
        let info = format!("dev: {device};\nnam: x;\nenc: B;\ntyp: DRV;\nmd5: {md5};\n");
        zip(&[
            ZipMember::new("FIRM.bin", &drv()),
            ZipMember::new("FIRM.bin.enc", encrypted),
            ZipMember::new("info.txt", info.as_bytes()),
        ])
    }

    fn failed(zip: &[u8], scooter: &str, chip: Option<&str>) -> Vec<(&'static str, String)> {
        let fit = Fit { chip, ..Fit::new(Target::builtin(scooter).unwrap(), Kind::Drv) };
        let gates = gates(&Image::from_bytes(zip).unwrap(), &fit);
        gates.into_iter().filter(|gate| !gate.passed).map(|gate| (gate.name, gate.detail)).collect()
    }

    #[test]
    fn a_package_passes_for_its_model_and_its_chips() {
        let package = v3("1s", "true", "DRV", GD32E103);
        for chip in [None, Some("stm32f103"), Some("gd32e103")] {
            assert_eq!(failed(&package, "1s", chip), []);
        }
        let fault = "compatible with mi_DRV_STM32F103CxT6, mi_DRV_GD32E103CxT6 only, not with a gd32f103 of a 1s";
        assert_eq!(failed(&package, "1s", Some("gd32f103")), [("package-compatible", fault.into())]);
    }

    #[test]
    fn another_model_is_refused_where_the_package_enforces_its_own() {
        let fault = ("package-model", "made for 1s only, not for pro2".to_owned());
        assert_eq!(failed(&v3("1s", "true", "DRV", GD32E103), "pro2", None), [fault]);
        assert_eq!(failed(&v3("1s", "false", "DRV", GD32E103), "pro2", None), []);
        let ninebot = v3("esx", "true", "DRV", r#"["esx_DRV_STM32F103CxT6"]"#);
        let names: Vec<_> = failed(&ninebot, "pro", None).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["package-model", "package-compatible"]);
    }

    #[test]
    fn both_descriptions_of_a_universal_package_have_to_agree_with_the_scooter() {
        let drv = drv();
        let digest = md5(&drv);
        let package = |model: &str, device: &str| {
            let json = format!(
                r#"{{"schemaVersion": 1, "firmware": {{"displayName": "x", "model": "{model}", "enforceModel": false,
                "type": "DRV", "compatible": {GD32E103}, "encryption": "plain", "md5": {{"bin": "{digest}"}}}}}}"#
            );
            let text = format!("dev: {device};\nnam: x;\nenc: N;\ntyp: DRV;\nmd5: {digest};\n");
            let infos = [("info.json", json.as_bytes()), ("info.txt", text.as_bytes()), ("FIRM.bin", &drv)];
            zip(&infos.map(|(name, bytes)| ZipMember::new(name, bytes)))
        };
        assert_eq!(failed(&package("pro", "M365"), "pro", None), []);
        let fault = ("package-model", "made for ES only, not for pro".to_owned());
        assert_eq!(failed(&package("pro", "ES"), "pro", None), [fault]);
    }

    #[test]
    fn what_a_package_says_cannot_write_to_a_terminal() {
        let package = v2("\u{1b}]0;owned\u{7}", &md5(&drv()).to_string(), &cipher::encrypt(&drv()));
        let fault = r"made for \u{1b}]0;owned\u{7} only, not for pro";
        assert_eq!(failed(&package, "pro", None), [("package-model", fault.to_owned())]);
    }

    #[test]
    fn an_info_txt_for_the_m365_is_for_every_xiaomi() {
        let (drv, encrypted) = (md5(&drv()).to_string(), cipher::encrypt(&drv()));
        for scooter in ["m365", "pro", "1s", "pro2", "lite", "mi3"] {
            assert_eq!(failed(&v2("M365", &drv, &encrypted), scooter, Some("stm32f103")), []);
        }
        let fault = |device| ("package-model", format!("made for {device} only, not for pro"));
        assert_eq!(failed(&v2("ES", &drv, &encrypted), "pro", None), [fault("ES")]);
        assert_eq!(failed(&v2("toaster", &drv, &encrypted), "pro", None), [fault("toaster")]);
    }

    #[test]
    fn firmware_of_other_boards_is_called_what_it_is() {
        let fault = "a BLE package: firmware of the dashboard's Bluetooth board, not of the motor controller";
        assert_eq!(failed(&v3("1s", "true", "BLE", GD32E103), "1s", None), [("package-type", fault.into())]);
        let fault = "a BMS package: firmware of the battery's own board, not of the motor controller";
        assert_eq!(failed(&v3("1s", "true", "BMS", GD32E103), "1s", None), [("package-type", fault.into())]);
    }

    #[test]
    fn wrong_digests_and_members_that_differ_are_refused() {
        let right = md5(&drv()).to_string();
        let wrong = failed(&v2("M365", &md5(b"").to_string(), &cipher::encrypt(&drv())), "pro", None);
        let fault = format!("the MD5 of FIRM.bin is {right}, but the package lists d41d8cd98f00b204e9800998ecf8427e");
        assert_eq!(wrong, [("package-md5", fault)]);
        let other = cipher::encrypt(&Sample::drv(27_000).bytes());
        let fault = "FIRM.bin.enc and FIRM.bin contain different firmware";
        assert_eq!(failed(&v2("M365", &right, &other), "pro", None), [("package-members", fault.into())]);
    }
}
