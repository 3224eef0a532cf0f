//! What is to be said of an image, as plain data.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{
    Catalog, DerivedFrom, Dump, Exactness, Fit, Format, Gate, Image, Kind, Md5Digest, Package, Protects, Sha256Digest,
    dump::firmware_of, gates, inspect, md5, origin::scooters_of,
};
use crate::{
    block::{LEN, MAGIC},
    target::{FlashMap, artery},
    version::Version,
};

/// Everything that can be told of a file.
#[derive(Debug, Clone, Serialize)]
pub struct ImageReport {
    /// The form of the file.
    pub format: Format,
    /// What to call it: the catalog's name, with what is the matter with it behind ("Pro DRV 1.5.5, modified"). None if it
    /// is not made from a known image.
    pub name: Option<String>,
    /// What it is.
    pub kind: Kind,
    /// Its version, from the catalog or the code; none if that is not certain.
    pub version: Option<Version>,
    /// The scooters it is for: by the catalog, by the known image it was made from, by its package, by its ident.
    pub scooters: Vec<String>,
    /// The chips it runs on: by the catalog, by the known image it was made from, else by what the code knows.
    pub chips: Vec<String>,
    /// Plain bytes.
    pub size: usize,
    /// SHA-256 of the plain bytes.
    pub sha256: Sha256Digest,
    /// MD5 of the plain bytes.
    pub md5: Md5Digest,
    /// Whether it is in the catalog, with every byte.
    pub known: bool,
    /// How exactly it is that image.
    pub exactness: Option<Exactness>,
    /// The known image it was made from, if it is not known itself.
    pub near: Option<DerivedFrom>,
    /// Its name in the zip, if it came in one without a description.
    pub member: Option<String>,
    /// Address of its first byte, where the file says so.
    pub base: Option<String>,
    /// Text at 0x100.
    pub ident: Option<String>,
    /// The flash map it is linked for.
    pub layout: Option<&'static FlashMap>,
    /// Whether the code of a DRV knows the GD32 chips.
    pub gd32_aware: Option<bool>,
    /// When it switches read-out protection on.
    pub protects: Option<Protects>,
    /// What else the catalog says.
    pub remarks: Option<String>,
    /// What to know before it goes onto one of its chips, by the chip.
    pub cautions: BTreeMap<String, String>,
    /// What the package says.
    pub package: Option<Package>,
    /// The images in a dump.
    pub parts: Vec<PartReport>,
    /// The gates, asked for the scooter it seems to be for.
    pub gates: Vec<Gate>,
}

/// An image inside a dump.
#[derive(Debug, Clone, Serialize)]
pub struct PartReport {
    /// Address of its first byte, `0x08001000`.
    pub address: String,
    /// What it is.
    pub kind: Kind,
    /// What to call it, as in [`ImageReport::name`].
    pub name: Option<String>,
    /// Its version.
    pub version: Option<Version>,
    /// SHA-256 of its bytes.
    pub sha256: Sha256Digest,
}

impl ImageReport {
    /// Looks at an image. The gates are asked for the first scooter that it seems to be for.
    pub fn new(image: &Image) -> Self {
        Self::fitting(image, &Fit::assumed(image))
    }

    /// Looks at an image, and asks the gates whether it fits. Of a dump they are asked about the firmware in it, and what
    /// there is to tell of code is told of that.
    pub fn fitting(image: &Image, fit: &Fit) -> Self {
        if let Some(drv) = firmware_of(image) {
            let code = Self::fitting(&drv, fit);
            return Self {
                name: None,
                kind: image.kind(),
                size: image.bytes.len(),
                sha256: image.digest(),
                md5: md5(&image.bytes),
                known: false,
                exactness: None,
                near: None,
                base: image.base.map(address),
                parts: parts(image),
                ..code
            };
        }
        let catalog = Catalog::builtin();
        let known = catalog.identify(&image.bytes);
        let near = if known.is_none() { catalog.nearest(&image.bytes) } else { None };
        let seen = inspect(&image.bytes);
        let kind = image.kind();
        let entry = known.map(|known| known.entry);
        let chips = match (entry, &near, kind, seen.gd32_aware) {
            (Some(entry), ..) => entry.chips.clone(),
            (None, Some(near), ..) => near.chips(),
            (None, None, Kind::Drv, true) => ["stm32f103", "gd32f103", "gd32e103"].map(Into::into).into(),
            (None, None, Kind::Drv, false) if seen.at32_aware => ["stm32f103", artery::NAME].map(Into::into).into(),
            (None, None, Kind::Drv, false) => vec!["stm32f103".into()],
            _ => vec![],
        };
        Self {
            format: image.format,
            name: known.map(|known| known.title()).or_else(|| near.as_ref().map(DerivedFrom::title)),
            kind,
            version: entry.and_then(|entry| entry.version).or(seen.version),
            scooters: scooters_of(image).into_iter().map(Into::into).collect(),
            chips,
            size: image.bytes.len(),
            sha256: image.digest(),
            md5: md5(&image.bytes),
            known: known.is_some_and(|known| known.is_whole()),
            exactness: known.map(|known| known.exactness),
            near,
            member: image.member.clone(),
            base: image.base.map(address),
            ident: seen.ident,
            layout: seen.layout,
            gd32_aware: (kind == Kind::Drv).then_some(seen.gd32_aware),
            protects: entry.and_then(|entry| entry.protects),
            remarks: entry.and_then(|entry| entry.remarks.clone()),
            cautions: entry.map(|entry| entry.cautions.clone()).unwrap_or_default(),
            package: image.package.clone(),
            parts: parts(image),
            gates: gates(image, fit),
        }
    }
}

fn address(address: u32) -> String {
    format!("{address:#010x}")
}

/// What stands where in a dump of flash.
fn parts(image: &Image) -> Vec<PartReport> {
    if !image.is_dump() {
        return vec![];
    }
    let regions = &Dump::of(image.clone()).layout().regions;
    let data = regions.data.start;
    [regions.boot.clone(), regions.drv.clone(), data..data + LEN as u32]
        .into_iter()
        .filter_map(|region| {
            let part = image.clone().part(&region).ok()?;
            let known = Catalog::builtin().identify(&part.bytes).map(|known| known.entry);
            let is_block = region.start == data && part.bytes.starts_with(&MAGIC.to_le_bytes());
            let kind = if is_block { Kind::Data } else { Image { format: Format::Bin, ..part.clone() }.kind() };
            Some(PartReport {
                address: address(region.start),
                kind,
                name: Catalog::builtin().title(&part.bytes),
                version: known.and_then(|entry| entry.version).or_else(|| inspect(&part.bytes).version),
                sha256: part.digest(),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::sample::Sample;

    #[test]
    fn the_report_has_the_keys_that_scripts_use() {
        let report = ImageReport::new(&Image::from_bytes(&Sample::drv(5000).bytes()).unwrap());
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!((json["format"].as_str(), json["kind"].as_str()), (Some("bin"), Some("drv")));
        assert_eq!((json["known"].as_bool(), &json["version"]), (Some(false), &serde_json::Value::Null));
        assert_eq!(json["sha256"].as_str().unwrap().len(), 64);
        assert_eq!(json["chips"], serde_json::json!(["stm32f103"]));
        assert!(json["scooters"].as_array().unwrap().is_empty());
        let gate = &json["gates"][0];
        assert!(gate["name"].is_string() && gate["passed"].is_boolean() && gate["detail"].is_string());
    }

    #[test]
    fn an_unknown_image_of_either_layout_passes_its_own_gates() {
        for layout in FlashMap::all() {
            let report = ImageReport::new(&Image::from_bytes(&Sample::drv(29_000).layout(layout).bytes()).unwrap());
            assert_eq!(report.layout, Some(layout));
            assert!(report.gates.iter().all(|gate| gate.passed), "{:?}", report.gates);
        }
    }

    #[test]
    fn a_dump_is_reported_by_its_parts() {
        let mut flash = vec![0xFF; 0x1_0000];
        flash[..3000].copy_from_slice(&Sample::boot(3000).bytes());
        flash[0x1000..0x1000 + 5000].copy_from_slice(&Sample::drv(5000).bytes());
        flash[0xF800..0xF802].copy_from_slice(&[0x5C, 0x51]);
        let report = ImageReport::new(&Image::from_bytes(&flash).unwrap());
        let parts: Vec<_> = report.parts.iter().map(|part| (part.address.as_str(), part.kind)).collect();
        assert_eq!(parts, [("0x08000000", Kind::Boot), ("0x08001000", Kind::Drv), ("0x0800f800", Kind::Data)]);
        assert_eq!((report.size, report.kind, report.layout), (0x1_0000, Kind::Unknown, Some(FlashMap::smallest())));
        let firmware = ImageReport::new(&Image::from_bytes(&Sample::drv(5000).bytes()).unwrap());
        let asked = |report: &ImageReport| report.gates.iter().map(|gate| (gate.name, gate.passed)).collect::<Vec<_>>();
        let address = |(name, _): &(&str, bool)| *name != "address";
        let of_dump: Vec<_> = asked(&report).into_iter().filter(address).collect();
        assert_eq!(of_dump, asked(&firmware), "those of the firmware in it");
    }
}
