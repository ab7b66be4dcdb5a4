// A Python extension module in C++: burn(rounds) allocates, throws and catches.
#include <Python.h>
#include <stdexcept>
#include <vector>

static PyObject *burn(PyObject *, PyObject *arguments)
{
	int rounds = 0, caught = 0;
	if (!PyArg_ParseTuple(arguments, "i", &rounds))
		return nullptr;
	for (int i = 0; i < rounds; i++) {
		std::vector<int> v(static_cast<size_t>(i % 1000) + 1);
		try {
			v.at(v.size());
		} catch (const std::out_of_range &) {
			caught++;
		}
	}
	return PyLong_FromLong(caught);
}

static PyMethodDef methods[] = {{"burn", burn, METH_VARARGS, nullptr}, {nullptr, nullptr, 0, nullptr}};
static PyModuleDef module = {
	PyModuleDef_HEAD_INIT, "plugin_python", nullptr, -1, methods, nullptr, nullptr, nullptr, nullptr};

PyMODINIT_FUNC PyInit_plugin_python()
{
	return PyModule_Create(&module);
}
