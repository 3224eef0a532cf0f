//! From the arguments to the things that verbs work with.

use std::{str::FromStr, time::Duration};

use indicatif::MultiProgress;

use super::{
    Cli,
    output::Output,
    progress::{Activity, Teller},
};

/// What a verb works with.
pub(crate) struct Context {
    teller: Teller,
    activity: Activity,
}

impl Context {
    /// Makes ready what the options ask for.
    pub(crate) fn new(cli: &Cli, output: &Output, bars: MultiProgress) -> anyhow::Result<Self> {
        let activity = Activity::default();
        let teller = Teller::new(output, cli.globals.quiet, bars, activity.clone());
        Ok(Self { teller, activity })
    }

    /// What is being done to the board.
    pub(crate) fn activity(&self) -> &Activity {
        &self.activity
    }

    /// Puts away what has to outlast the command.
    pub(crate) fn close(&mut self) -> anyhow::Result<()> {
        Ok(())
    }
}

/// How long `--wait` goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WaitArg {
    Forever,
    For(Duration),
}

impl FromStr for WaitArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "forever" {
            return Ok(Self::Forever);
        }
        let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = text.split_at(digits);
        let scale_ms = match unit {
            "ms" => 1,
            "" | "s" => 1000,
            "m" | "min" => 60_000,
            "h" => 3_600_000,
            _ => return Err("a duration is a whole number of ms, s, m or h, as `30s`".into()),
        };
        let number: u64 = number.parse().map_err(|_| "a duration begins with a whole number, as `30s`".to_owned())?;
        Ok(Self::For(Duration::from_millis(number.saturating_mul(scale_ms))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_a_number_with_a_unit() {
        let seconds = |seconds| Ok(WaitArg::For(Duration::from_secs(seconds)));
        assert_eq!("30".parse::<WaitArg>(), seconds(30));
        assert_eq!("30s".parse::<WaitArg>(), seconds(30));
        assert_eq!("5m".parse::<WaitArg>(), seconds(300));
        assert_eq!("500ms".parse(), Ok(WaitArg::For(Duration::from_millis(500))));
        assert_eq!("forever".parse(), Ok(WaitArg::Forever));
        for text in ["", "s", "-1", "1.5s", "5 parsecs"] {
            assert!(text.parse::<WaitArg>().is_err(), "{text}");
        }
    }
}
