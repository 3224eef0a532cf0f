//! What each phase of a run took, as a table.

use std::{fmt, time::Duration};

use m365_drv::board::progress::{Event, Step};

/// The phases that have finished, in order; one that was done again is listed again.
#[derive(Debug, Default)]
pub(crate) struct Phases {
    rows: Vec<(Step, Duration, u64)>,
    bytes: u64,
}

impl Phases {
    /// Takes note of what happens.
    pub(crate) fn note(&mut self, event: &Event) {
        match *event {
            Event::Started { .. } => self.bytes = 0,
            Event::Advanced { done_bytes, .. } => self.bytes = done_bytes,
            Event::Finished { step, took } => self.rows.push((step, took, self.bytes)),
            _ => {}
        }
    }

    /// How long the last one took, and how fast it was.
    pub(crate) fn last_in_words(&self) -> String {
        let Some((_, took, bytes)) = self.rows.last() else { return String::new() };
        let rate = kib_per_second(*bytes, *took).map_or_else(String::new, |rate| format!(", {rate} KiB/s"));
        format!("{}{rate}", seconds(*took))
    }

    /// Whether there is nothing to tell.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

/// A time in seconds with one decimal.
pub(crate) fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

/// What takes less time than this has no rate: it would tell more about the clock than about the link.
const SHORTEST: Duration = Duration::from_millis(100);

/// Bytes per second in KiB with one decimal; `None` if there were none, or hardly any time.
pub(crate) fn kib_per_second(bytes: u64, took: Duration) -> Option<String> {
    let tenths = u64::try_from(u128::from(bytes) * 10_000 / 1024 / took.as_millis().max(1)).ok()?;
    (bytes > 0 && took >= SHORTEST).then(|| format!("{}.{}", tenths / 10, tenths % 10))
}

impl fmt::Display for Phases {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<10}{:>8}{:>9}{:>8}", "step", "ms", "bytes", "KiB/s")?;
        for (step, took, bytes) in &self.rows {
            write!(f, "\n{:<10}{:>8}", step.to_string(), took.as_millis())?;
            if *bytes > 0 {
                write!(f, "{bytes:>9}")?;
            }
            if let Some(rate) = kib_per_second(*bytes, *took) {
                write!(f, "{rate:>8}")?;
            }
        }
        let all: Duration = self.rows.iter().map(|(_, took, _)| *took).sum();
        write!(f, "\n{:<10}{:>8}", "all", all.as_millis())
    }
}

#[cfg(test)]
mod tests {
    use m365_drv::board::progress::SkipReason;

    use super::*;

    #[test]
    fn each_phase_has_a_row_and_those_that_move_bytes_a_rate() {
        let ms = Duration::from_millis;
        let mut phases = Phases::default();
        assert!(phases.is_empty());
        for event in [
            Event::Started { step: Step::Connect },
            Event::Finished { step: Step::Connect, took: ms(12) },
            Event::Skipped { step: Step::Examine, why: SkipReason::NothingToDo },
            Event::Started { step: Step::Program },
            Event::Advanced { step: Step::Program, done_bytes: 1024, total_bytes: 30_936 },
            Event::Advanced { step: Step::Program, done_bytes: 30_936, total_bytes: 30_936 },
            Event::Finished { step: Step::Program, took: ms(845) },
        ] {
            phases.note(&event);
        }
        let table = "step            ms    bytes   KiB/s\n\
                     connect         12\n\
                     program        845    30936    35.7\n\
                     all            857";
        assert_eq!(phases.to_string(), table);
    }

    #[test]
    fn no_bytes_and_no_time_have_no_rate() {
        assert_eq!(kib_per_second(0, Duration::from_secs(1)), None);
        assert_eq!(kib_per_second(2048, Duration::from_millis(99)), None);
        assert_eq!(kib_per_second(2048, Duration::from_millis(500)).as_deref(), Some("4.0"));
    }
}
