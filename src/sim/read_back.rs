//! Which words of flash a debugger has read back, or a program that it has started, so that a test can ask whether a success was
//! proved.

use std::ops::Range;

/// Where every supported chip has its flash (RM0008 3.3).
pub(super) const MAIN_FLASH: Range<u32> = 0x0800_0000..0x0810_0000;

/// Words of flash that were read over a connection that was made after the last change of flash.
#[derive(Debug, Default)]
pub(super) struct ReadBack {
    /// The number of changes when the probe last attached.
    at_attach: u64,
    /// For each word that was read, the number of changes before that, plus one.
    words: Vec<u64>,
}

impl ReadBack {
    /// The probe attaches after this many changes.
    pub(super) fn attach(&mut self, changes: u64) {
        self.at_attach = changes;
    }

    /// A word is read after this many changes. It is a proof only if the probe has attached since the last of them.
    pub(super) fn read(&mut self, address: u32, changes: u64) {
        if changes == self.at_attach && MAIN_FLASH.contains(&address) {
            let index = index(address);
            self.words.resize(self.words.len().max(index + 1), 0);
            self.words[index] = changes + 1;
        }
    }

    /// Whether every word in this range has been proved after this many changes.
    pub(super) fn covers(&self, range: Range<u32>, changes: u64) -> bool {
        range.step_by(4).all(|address| self.words.get(index(address)) == Some(&(changes + 1)))
    }
}

fn index(address: u32) -> usize {
    (address - MAIN_FLASH.start) as usize / 4
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: Range<u32> = 0x0800_0000..0x0800_0008;

    fn read_all(read_back: &mut ReadBack, changes: u64) {
        PAGE.step_by(4).for_each(|address| read_back.read(address, changes));
    }

    #[test]
    fn only_what_was_read_after_a_change_and_a_new_attach_is_proved() {
        let mut read_back = ReadBack::default();
        read_back.attach(0);
        read_all(&mut read_back, 0);
        assert!(read_back.covers(PAGE, 0) && !read_back.covers(PAGE, 1));
        read_all(&mut read_back, 1);
        assert!(!read_back.covers(PAGE, 1), "read over the connection that flash was changed over");
        read_back.attach(1);
        read_back.read(PAGE.start, 1);
        assert!(!read_back.covers(PAGE, 1), "half of it");
        read_all(&mut read_back, 1);
        assert!(read_back.covers(PAGE, 1));
    }
}
