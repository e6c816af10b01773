// The glossary defines each term; its definition appears beside the term on hover, focus or tap.
{
  const tip = document.createElement("div");
  tip.id = "tip";
  tip.hidden = true;
  tip.setAttribute("aria-hidden", "true"); // terms name their definitions by aria-describedby
  document.body.append(tip);

  const hide = () => { tip.hidden = true; };
  const show = (term) => {
    tip.textContent = document.querySelector(term.hash).textContent;
    tip.hidden = false;
    const { left, top, bottom } = term.getBoundingClientRect();
    const fits = bottom + tip.offsetHeight < innerHeight;
    tip.style.left = `${Math.max(8, Math.min(left, document.documentElement.clientWidth - tip.offsetWidth - 8))}px`;
    tip.style.top = `${fits ? bottom : top - tip.offsetHeight}px`;
  };
  document.querySelectorAll("a.term").forEach((term) => {
    term.onmouseenter = term.onfocus = () => show(term);
    term.onblur = hide;
    // The pointer may move onto the definition.
    term.onmouseleave = ({ relatedTarget }) => relatedTarget === tip || hide();
    term.onclick = (event) => {
      event.preventDefault();
      show(term);
    };
  });
  tip.onmouseleave = hide;
  addEventListener("scroll", hide, true);
  addEventListener("keydown", ({ key }) => key === "Escape" && hide());
}
