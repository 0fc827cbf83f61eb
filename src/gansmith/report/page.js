
document.querySelectorAll(".film").forEach((film) => {
  const frames = [...film.querySelectorAll("figure")].reverse();
  if (frames.length < 2) return;
  const [slider, input, output, button] = [".slider", "input", "output", "button"].map((s) => film.querySelector(s));
  let timer = null;
  const show = (n) => {
    frames.forEach((frame, i) => { frame.hidden = i !== n; });
    input.value = n;
    output.textContent = frames[n].querySelector("figcaption").textContent;
  };
  const stop = () => {
    clearInterval(timer);
    timer = null;
    button.textContent = "▶";
    button.setAttribute("aria-label", "play");
  };
  const play = () => {
    if (+input.value === frames.length - 1) show(0);
    timer = setInterval(() => {
      show(+input.value + 1);
      if (+input.value === frames.length - 1) stop();
    }, 600);
    button.textContent = "❚❚";
    button.setAttribute("aria-label", "pause");
  };
  input.addEventListener("input", () => { stop(); show(+input.value); });
  button.addEventListener("click", () => (timer ? stop() : play()));
  film.classList.add("stage");
  slider.hidden = false;
  show(frames.length - 1);
});
