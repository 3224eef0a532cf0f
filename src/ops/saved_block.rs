//! A data block in a backup, in words: whose, with what mileage, and when it was saved.

use std::{fmt, path::PathBuf};

use crate::{
    block::{DataBlock, Mileage},
    printable::quoted_path,
};

/// A data block that an earlier run has saved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedBlock {
    /// The backup.
    pub path: PathBuf,
    /// What is in it.
    pub block: DataBlock,
}

impl SavedBlock {
    /// The mileage; an unknown one is less than any other.
    pub(super) fn mileage(&self) -> Option<Mileage> {
        Some(self.block.mileage()).filter(|mileage| mileage.is_known())
    }

    /// The day on which the backup was made: by its name, otherwise by the file system.
    fn date(&self) -> Option<String> {
        let name = self.path.file_stem()?.to_string_lossy();
        let day = name.rsplit('-').next()?.split_once('T').map(|(day, _)| day.to_owned());
        let day = day.filter(|day| day.len() == 8 && day.bytes().all(|digit| digit.is_ascii_digit()));
        if let Some(day) = day {
            return Some(format!("{}-{}-{}", &day[..4], &day[4..6], &day[6..]));
        }
        let modified = self.path.metadata().ok()?.modified().ok()?;
        Some(jiff::Timestamp::try_from(modified).ok()?.strftime("%Y-%m-%d").to_string())
    }
}

impl fmt::Display for SavedBlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let serial =
            self.block.serial().map_or("no serial number".to_owned(), |serial| format!("serial number {serial}"));
        let date = self.date().map_or_else(String::new, |date| format!(" of {date}"));
        write!(f, "{serial}, {} in {}{date}", self.block.mileage(), quoted_path(&self.path))
    }
}

/// Data blocks of one UID with several serial numbers, of each the one with the highest mileage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedBlocks(pub Vec<SavedBlock>);

impl fmt::Display for SavedBlocks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let blocks: Vec<_> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&blocks.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_day_of_a_backup_is_read_from_a_name_that_has_one() {
        let date = |name: &str| SavedBlock { path: name.into(), block: DataBlock::template() }.date();
        assert_eq!(date("0001-20260131T101112.000000Z.json").as_deref(), Some("2026-01-31"));
        // These files do not exist, so their time of change does not help.
        for name in ["0001-2026013aT101112.json", "0001-202601310T101112.json", "board.json"] {
            assert_eq!(date(name), None, "{name}");
        }
    }
}
