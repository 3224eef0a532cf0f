//! The meter of contact: a bar, a word and numbers, and below it which wire to suspect.

use m365_drv::guide::coach::Meter;

/// Characters of the bar.
const LEN: usize = 10;

/// `[#####-----] poor, 25 of 50 reads good, 3.2 V`
pub(crate) fn in_a_line(meter: Meter) -> String {
    let full = (meter.good * LEN).checked_div(meter.of).unwrap_or(0).min(LEN);
    let share = meter.share().map_or_else(String::new, |share| format!(", {share} good"));
    let voltage = meter.voltage().map_or_else(String::new, |voltage| format!(", {voltage}"));
    format!("[{}{}] {}{share}{voltage}", "#".repeat(full), "-".repeat(LEN - full), meter.word())
}

#[cfg(test)]
mod tests {
    use m365_drv::board::Finding;

    use super::*;

    #[test]
    fn the_meter_moves_with_the_share_of_good_reads() {
        let meter =
            |good, of, finding| in_a_line(Meter { good, of, finding, voltage_mv: Some(3260), ..Meter::default() });
        assert_eq!(meter(0, 0, None), "[----------] not tried, 3.2 V");
        assert_eq!(meter(0, 7, Some(Finding::Silent)), "[----------] none, 0 of 7 reads good, 3.2 V");
        assert_eq!(meter(25, 50, Some(Finding::Broken)), "[#####-----] poor, 25 of 50 reads good, 3.2 V");
        assert_eq!(meter(50, 50, Some(Finding::Good)), "[##########] good, 50 of 50 reads good, 3.2 V");
    }
}
