document.querySelectorAll(".scrub table").forEach(function (table) {
  if (!table.querySelector("th.sorts")) return;
  var body = table.tBodies[0], up = {};
  Array.prototype.forEach.call(table.tHead.rows[0].cells, function (heading, place) {
    if (!heading.classList.contains("sorts")) return;
    heading.title = "sort";
    heading.addEventListener("click", function () {
      up[place] = !up[place];
      var key = function (row) { return row.cells[place].dataset.key || row.cells[place].textContent; };
      Array.from(body.rows).sort(function (a, b) {
        var one = key(a), other = key(b), numbers = one - other;
        var found = isNaN(numbers) ? one.localeCompare(other) : numbers;
        return up[place] ? found : -found;
      }).forEach(function (row) { body.appendChild(row); });
    });
  });
});
