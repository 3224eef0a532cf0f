// Short sounds. They are never the only sign of anything.

const KEY = "m365-drv sound";
let context = null;
let isOn = read();

function read() {
  try {
    return localStorage.getItem(KEY) !== "off";
  } catch {
    return true;
  }
}

/** Whether sounds are played. */
export function isSoundOn() {
  return isOn;
}

/** Turns sounds on or off. */
export function setSound(on) {
  isOn = on;
  try {
    localStorage.setItem(KEY, on ? "on" : "off");
  } catch {
    // The choice then lasts as long as this window.
  }
}

function play(tones) {
  // A browser plays nothing before the first click or key.
  if (!isOn || navigator.userActivation?.hasBeenActive === false) return;
  try {
    context ??= new AudioContext();
    context.resume()?.catch(() => {});
    let at = context.currentTime + 0.02;
    for (const [hertz, seconds] of tones) {
      const tone = context.createOscillator();
      const volume = context.createGain();
      tone.frequency.value = hertz;
      volume.gain.setValueAtTime(0.0001, at);
      volume.gain.exponentialRampToValueAtTime(0.2, at + 0.02);
      volume.gain.exponentialRampToValueAtTime(0.0001, at + seconds);
      tone.connect(volume).connect(context.destination);
      tone.start(at);
      tone.stop(at + seconds);
      at += seconds;
    }
  } catch {
    // A browser without sound, or one that blocks it.
  }
}

export const soundOf = {
  good: () => play([[880, 0.12]]),
  hold: () => play([[440, 0.15], [440, 0.15]]),
  free: () => play([[659, 0.16], [880, 0.16], [1319, 0.35]]),
  failed: () => play([[330, 0.25], [220, 0.45]]),
};
